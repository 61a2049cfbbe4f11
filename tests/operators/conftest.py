"""Properties are tested without a clock: the first call of a kernel compiles it."""

from hypothesis import settings

settings.register_profile("kernels", deadline=None, max_examples=60)
settings.load_profile("kernels")
