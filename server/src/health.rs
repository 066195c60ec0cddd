//! Whether the console lives, whether it can be used, and its own figures. None of them tells
//! strangers anything about clusters.

use std::sync::OnceLock;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::{guards::problems::Fault, state::Console};

pub async fn alive() -> &'static str {
    "ok\n"
}

/// Store and audit can be written.
pub async fn ready(State(console): State<Console>) -> Response {
    match console.control.ready().await {
        Ok(()) if !console.closing.is_cancelled() => "ready\n".into_response(),
        Ok(()) => not_ready("stopping"),
        Err(error) => {
            tracing::error!("not ready: {error}");
            not_ready("the store or the audit log cannot be written")
        }
    }
}

fn not_ready(why: &str) -> Response {
    Fault::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-ready",
        format!("Not ready: {why}."),
        "The console's log says more.",
    )
    .into_response()
}

pub async fn metrics(State(console): State<Console>) -> Response {
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (kind, without_clusters(&console.metrics.render())).into_response()
}

/// Series about single clusters are for those who may see them, on the pages and in REST.
fn without_clusters(text: &str) -> String {
    text.lines()
        .filter(|line| line.starts_with('#') || !line.contains("cluster=\""))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// The process's one recorder.
pub fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let start = || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder counts already; /metrics stays empty");
        }
        handle
    };
    HANDLE.get_or_init(start).clone()
}
