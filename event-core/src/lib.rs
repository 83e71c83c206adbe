//! From the bytes of an event to what Bellhop does with it: pure, no host calls, clock, randomness or I/O.
