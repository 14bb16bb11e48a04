//! The operators: one operator, one file, each a method that a trait hangs on a stream.
