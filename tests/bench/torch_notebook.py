"""The notebook tree in PyTorch on one thread: prints "forward FLOWS_PER_SECOND step SECONDS"."""
import statistics
import time

try:
    import torch
except ImportError:
    print("PyTorch: skipped, python3-torch is not installed")
    raise SystemExit(0)

torch.manual_seed(1)


class Notebook(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.pkt = torch.nn.LSTM(3, 16, batch_first=True)
        self.ttl = torch.nn.Embedding(256, 8)
        self.ids = torch.nn.LSTM(1, 8, batch_first=True)
        self.dense = torch.nn.Sequential(
            torch.nn.Linear(53, 10), torch.nn.ReLU(), torch.nn.Linear(10, 10), torch.nn.ReLU(),
            torch.nn.Linear(10, 10), torch.nn.ReLU(), torch.nn.Linear(10, 3))

    def forward(self, packets, ttl_out, ids_out, ttl_in, ids_in, own):
        pkt = self.pkt(packets)[0][:, -1]
        out = self.ids(ids_out)[0][:, -1]
        back = self.ids(ids_in)[0][:, -1]
        return self.dense(torch.cat([pkt, self.ttl(ttl_out), out, self.ttl(ttl_in), back, own], 1))


def inputs(n):
    return (torch.randn(n, 100, 3), torch.randint(0, 256, (n,)), torch.randn(n, 50, 1),
            torch.randint(0, 256, (n,)), torch.randn(n, 50, 1), torch.randn(n, 5))


def median_time(run, rounds):
    run()
    times = []
    for _ in range(rounds):
        begin = time.thread_time()
        run()
        times.append(time.thread_time() - begin)
    return statistics.median(times)


if __name__ == "__main__":
    torch.set_num_threads(1)
    net = Notebook()
    big, small = inputs(1024), inputs(128)
    labels = torch.randint(0, 3, (128,))
    adam = torch.optim.Adam(net.parameters())

    def forward():
        with torch.no_grad():
            net(*big)

    def step():
        adam.zero_grad()
        torch.nn.functional.cross_entropy(net(*small), labels).backward()
        adam.step()

    print("forward", 1024 / median_time(forward, 5), "step", median_time(step, 9))
