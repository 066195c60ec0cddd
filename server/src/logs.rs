//! Structured logs on stderr. Stdout belongs to what commands print.

use tracing_subscriber::{EnvFilter, fmt};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Json,
    Text,
}

/// Starts logging; `QUORATE_LOG` chooses what (`info` by default).
pub fn start(format: Format) {
    let filter = EnvFilter::try_from_env("QUORATE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,tower_sessions=warn,tower_sessions_core=off"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error only says that a test has set up logging already.
    let _ = match format {
        Format::Json => builder.json().try_init(),
        Format::Text => builder.with_ansi(false).try_init(),
    };
}
