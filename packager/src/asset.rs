//! The port through which stored files are read; opens nothing itself.
