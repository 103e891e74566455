//! Where settings come from: a TOML file, the environment, flags, the later winning.
