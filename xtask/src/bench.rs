//! `cargo xtask bench`: measures the release build and prints; judges nothing but what `check`
//! already does.

use std::process::{Command, ExitCode};

use crate::{golang, openbao, step, test, toolchain, workspace::Workspace};

/// `audit` measures the audit log alone, `agents` what the agents cost their hosts (about ten
/// minutes; nothing else should run meanwhile). Other arguments go to Playwright, to choose among the
/// measurements (`--grep bytes`).
///
/// # Errors
/// If something is missing or a measurement cannot be made.
pub fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    if arguments.is_empty() || arguments == ["audit"] {
        step::run(
            "measuring the audit log",
            toolchain::cargo().current_dir(workspace.root()).args([
                "run",
                "--release",
                "--package",
                "quorate-control",
                "--example",
                "audit_bench",
            ]),
        )?;
    }
    if arguments == ["audit"] {
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.is_empty() || arguments == ["agents"] {
        agents(workspace)?;
    }
    if arguments == ["agents"] {
        return Ok(ExitCode::SUCCESS);
    }
    openbao::need_pip()?;
    step::run(
        "measuring",
        test::playwright(workspace)?
            .env(openbao::LAUNCHER, openbao::launcher(workspace)?)
            .args(["--config", "bench.config.ts"])
            .args(arguments),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Bulk state and deltas of ten thousand made-up groups, then real programs with the agent and
/// without, in turns.
fn agents(workspace: &Workspace) -> anyhow::Result<()> {
    let bin = golang::need(workspace)?;
    step::run(
        "building the nodes on openraft",
        toolchain::cargo().current_dir(workspace.root()).args([
            "build",
            "--release",
            "--package",
            "quorate-demo",
            "--example",
            "cluster",
        ]),
    )?;
    let nodes = workspace.root().join("target/release/examples/cluster");
    let all = [
        ("agents/go", "./protocol", "BulkState|Delta"),
        ("agents/dragonboat", ".", "."),
        ("agents/hashicorp-raft", ".", "WhatTheAgentCosts"),
        ("agents/dragonboat", "./trials", "WhatTheAgentCosts"),
        ("agents/go", "./cost", "WhatTheAgentOfOpenraftCosts"),
    ];
    for (module, package, measured) in all {
        let mut command = Command::new("go");
        golang::on_path(&mut command, bin.as_deref());
        let times = if measured.starts_with("WhatTheAgent") {
            "1x"
        } else {
            "1s"
        };
        command
            .current_dir(workspace.root().join(module))
            .env("QUORATE_TEST_OPENRAFT_NODES", &nodes)
            .args(["test", package, "-run", "^$", "-timeout", "20m"])
            .args(["-bench", measured, "-benchtime", times]);
        step::run(&format!("measuring {module}"), &mut command)?;
    }
    Ok(())
}
