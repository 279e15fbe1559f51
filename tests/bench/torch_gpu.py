"""The notebook tree in PyTorch on a GPU, in CUDA graphs: prints "forward BATCH SECONDS" and "step BATCH SECONDS"."""
import statistics
import time

try:
    import torch
except ImportError:
    print("PyTorch: skipped, python3-torch is not installed")
    raise SystemExit(0)

if not torch.cuda.is_available():
    print("PyTorch: skipped, it finds no GPU")
    raise SystemExit(0)

from torch_notebook import Notebook, inputs

WARM, ROUNDS = 5, 21


def captured(run):
    """A graph of one run. What it allocates it allocates beforehand, on a stream of its own."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph


def median_time(graph):
    times = []
    for i in range(WARM + ROUNDS):
        begin = time.perf_counter()
        graph.replay()
        torch.cuda.synchronize()
        if i >= WARM:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def measure(batch):
    net = Notebook().cuda()
    data = [tensor.cuda() for tensor in inputs(batch)]
    labels = torch.randint(0, 3, (batch,)).cuda()
    adam = torch.optim.Adam(net.parameters(), capturable=True)

    def forward():
        with torch.no_grad():
            net(*data)

    def step():
        adam.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(*data), labels).backward()
        adam.step()

    print("forward", batch, median_time(captured(forward)))
    print("step", batch, median_time(captured(step)), flush=True)


torch.backends.cudnn.allow_tf32 = False
torch.backends.cuda.matmul.allow_tf32 = False
for n in (128, 1024, 8192, 65536):
    measure(n)
