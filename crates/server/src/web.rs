//! A web UI that was built for this API, served as it was installed: one or both generations of it, their settings, and
//! which of them a browser gets. It knows nothing of what the pages do.

mod bundle;

use std::path::{Path, PathBuf};

use anyhow::Context;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use self::bundle::Bundle;
use crate::{App, answer::Json, extract::no_route, settings::Settings};

/// The bundles that were found.
pub struct Web {
    first: Option<Bundle>,
    second: Option<Bundle>,
    prefers_second: bool,
    base_path: String,
    api_url: Option<String>,
}

/// The cookie that a page sets when somebody chooses a generation.
const CHOICE: &str = "prefect_ui_version";
/// What the second generation is served under.
const SECOND: &str = "/v2";

impl Web {
    /// Looks for the bundles where the settings say; `None` where they name no place.
    pub fn open(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(ui) = &settings.ui else { return Ok(None) };
        let base = &settings.base_path;
        let open = |folder: Option<PathBuf>, base: String| {
            let read = |folder: PathBuf| {
                Bundle::read(&folder, base).with_context(|| format!("cannot read the web UI in {}", folder.display()))
            };
            folder.map(read).transpose()
        };
        let (first, second) = find(&ui.from);
        let first = open(first, base.clone())?;
        let second = open(second, format!("{base}{SECOND}"))?;
        anyhow::ensure!(
            first.is_some() || second.is_some(),
            "there is no web UI in {}: a folder `prefect` of installed packages is wanted, or one with `index.html`",
            ui.from.display()
        );
        let api_url = ui.api_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        Ok(Some(Self { first, second, prefers_second: ui.prefers_second, base_path: base.clone(), api_url }))
    }

    /// Whether a path belongs to the pages, which anybody may see: they ask for a password themselves.
    pub fn is_page(path: &str) -> bool {
        path != "/metrics" && path != "/api" && !path.starts_with("/api/")
    }

    fn default(&self) -> &'static str {
        match (&self.first, &self.second) {
            (None, _) => "v2",
            (Some(_), Some(_)) if self.prefers_second => "v2",
            (Some(_), _) => "v1",
        }
    }

    fn settings(&self, app: &App, headers: &HeaderMap) -> Response {
        let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let scheme = text(header::HeaderName::from_static("x-forwarded-proto"))
            .filter(|scheme| matches!(*scheme, "http" | "https"))
            .unwrap_or("http");
        let host = text(header::HOST).unwrap_or("localhost");
        let base = &self.base_path;
        let api_url = self.api_url.clone().unwrap_or_else(|| format!("{scheme}://{host}{base}/api"));
        let first_base = if base.is_empty() { "/" } else { base };
        let versions = [("v1", &self.first), ("v2", &self.second)];
        let available: Vec<&str> =
            versions.iter().filter(|(_, bundle)| bundle.is_some()).map(|(version, _)| *version).collect();
        Json(json!({
            "api_url": api_url,
            "csrf_enabled": app.settings.csrf_enabled,
            "auth": app.access.is_some().then_some("BASIC"),
            "flags": [],
            "default_ui": self.default(),
            "available_uis": available,
            "v1_base_url": self.first.as_ref().map(|_| first_base),
            "v2_base_url": self.second.as_ref().map(|_| format!("{base}{SECOND}")),
        }))
        .into_response()
    }

    /// Where somebody who asks for the root belongs, if not there.
    fn preferred(&self, headers: &HeaderMap) -> &'static str {
        let chosen = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .find_map(|cookie| cookie.trim().strip_prefix(CHOICE)?.strip_prefix('='));
        match chosen {
            Some("v1") if self.first.is_some() => "v1",
            Some("v2") if self.second.is_some() => "v2",
            _ => self.default(),
        }
    }

    /// A file of either generation that a page asks for at the root, where browsers and some links expect it.
    fn stray(&self, name: &str) -> Option<(&Bundle, String)> {
        let bundles = [&self.first, &self.second];
        let names = [name.to_owned(), format!("ico/{name}")];
        let mut found = bundles.into_iter().flatten().flat_map(|bundle| names.iter().map(move |name| (bundle, name)));
        found.find(|(bundle, name)| bundle.has(name)).map(|(bundle, name)| (bundle, name.clone()))
    }
}

/// The folders of both generations: of a package's folder, of the folder of packages, or of a folder that is a bundle.
fn find(from: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    let is_bundle = |folder: &Path| folder.join("index.html").is_file();
    if is_bundle(from) {
        let is_second = from.file_name().is_some_and(|name| name == "ui-v2");
        let folder = Some(from.to_owned());
        return if is_second { (None, folder) } else { (folder, None) };
    }
    let places = ["", "server", "prefect/server"].map(|place| from.join(place));
    let look = |name: &str| places.iter().map(|place| place.join(name)).find(|folder| is_bundle(folder));
    (look("ui"), look("ui-v2"))
}

/// Answers what no route of the API did.
pub async fn serve(State(app): State<App>, request: Request) -> Response {
    let Some(web) = app.web.as_ref().filter(|_| matches!(*request.method(), Method::GET | Method::HEAD)) else {
        return no_route().into_response();
    };
    let headers = request.headers();
    let path = request.uri().path();
    let path = if path == web.base_path { "/" } else { path };
    let Some(path) = bundle::decoded(path).filter(|path| Web::is_page(path)) else {
        return no_route().into_response();
    };
    if path == "/ui-settings" {
        return web.settings(&app, headers);
    }
    let base = &web.base_path;
    let navigates = is_navigation(headers);
    let query = request.uri().query();
    let of_second = path.strip_prefix(SECOND).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let (bundle, name) = match (of_second, &web.second) {
        (Some(""), Some(_)) => return redirect(&format!("{base}{SECOND}/"), query),
        (Some(rest), Some(bundle)) => (Some(bundle), rest),
        (Some(rest), None) if navigates => {
            return redirect(&format!("{base}/{}", rest.trim_start_matches('/')), query);
        }
        _ if path == "/" && navigates && web.preferred(headers) == "v2" => {
            return redirect(&format!("{base}{SECOND}/"), query);
        }
        _ => (web.first.as_ref(), path.as_str()),
    };
    let name = match name.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    match bundle {
        Some(bundle) if bundle.has(name) => bundle.answer(name).await,
        _ => match web.stray(name) {
            Some((bundle, name)) => bundle.answer(&name).await,
            // The pages' own addresses: the program in the page knows them.
            None => match bundle.filter(|_| navigates) {
                Some(bundle) => bundle.answer("index.html").await,
                None => no_route().into_response(),
            },
        },
    }
}

/// Whether a browser opens a page, rather than a page its parts.
fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text("sec-fetch-mode") == "navigate"
        || matches!(text("sec-fetch-dest"), "document" | "iframe")
        || text("accept").to_ascii_lowercase().contains("text/html")
}

fn redirect(to: &str, query: Option<&str>) -> Response {
    let to = query.map_or_else(|| to.to_owned(), |query| format!("{to}?{query}"));
    match HeaderValue::from_str(&to) {
        Ok(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        Err(_) => no_route().into_response(),
    }
}
