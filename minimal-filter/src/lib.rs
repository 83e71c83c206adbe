//! The smallest useful filter: buffers the body and sets three headers. The yardstick of the benchmark.
