"""All that touches Taichi: the program that kernels live in, how they are traced, compiled for a robot and launched."""
