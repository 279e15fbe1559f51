/* module_other.c - a module that is no engine. */
extern const int module_other;

const int module_other = 1;
