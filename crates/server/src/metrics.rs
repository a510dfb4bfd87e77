//! The numbers this server tells: installed once, rendered for Prometheus.

use std::sync::LazyLock;

use axum::{http::header, response::IntoResponse};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

static HANDLE: LazyLock<Option<PrometheusHandle>> = LazyLock::new(|| {
    let builder = PrometheusBuilder::new()
        .set_buckets(&[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
        .ok()?;
    builder.install_recorder().ok()
});

/// Installs the recorder of this process; later calls do nothing.
pub fn install() {
    let _ = HANDLE.is_some();
}

/// `GET /metrics`.
pub async fn render() -> impl IntoResponse {
    let text = HANDLE.as_ref().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
