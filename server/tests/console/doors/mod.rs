//! The ways in beside plain HTTP: TLS with client certificates, a Unix socket, and the socket for
//! emergencies. What each lets in, and what it does not.

mod emergency;
mod http2;
mod mutual_tls;
mod socket;

use quorate::{configuration::Configuration, identity::Identity};
use quorate_control::Control;
use quorate_domain::audit::{Entry, Filter};

const GRANTS: &str = r#"
    [[identity.grants]]
    group = "ops"
    role = "operator"
    clusters = ["*"]
"#;

/// The mode `trusted-header` with `more`, and what the listener must bring for it.
fn headers(server: &str, more: &str) -> Identity {
    let text = format!(
        "[server]\n{server}\n[identity]\nmode = \"trusted-header\"\nuser_header = \"Remote-User\"\n\
         groups_header = \"Remote-Groups\"\n{more}\n{GRANTS}"
    );
    let configuration = Configuration::parse(&text, []).unwrap();
    configuration.identity.identity().unwrap()
}

async fn recorded(control: &Control, action: &str) -> Vec<Entry> {
    let who = control.command_line_operator();
    let page = control.audit(&who, &Filter::default(), 0, 1_000).await;
    let mut entries = page.unwrap().items;
    entries.retain(|entry| entry.action == action);
    entries
}
