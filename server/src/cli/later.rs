//! Commands of later versions.

use clap::Args;

use super::output;
use crate::exit::Exit;

/// Takes whatever follows, so that the answer is the same for all of it.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<String>,
}

pub fn answer() -> Exit {
    output::tell(crate::NOT_IN_THIS_VERSION);
    Exit::Usage
}
