//! The files of one built web UI: which there are, and how each is answered. A name that was not there at the start is not
//! looked up on the disk, so no name leads out of the folder.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use crate::error::ApiError;

/// Stands in the files for the path that they are served under.
const PLACEHOLDER: &str = "/PREFECT_UI_SERVE_BASE_REPLACE_PLACEHOLDER";
/// Far more than such a bundle has, in depth.
const DEEPEST: usize = 16;

pub struct Bundle {
    /// What replaces the placeholder: empty, or `/something`.
    base: String,
    /// By the name in the URL, without a leading slash.
    files: HashMap<String, PathBuf>,
}

impl Bundle {
    pub fn read(folder: &Path, base: String) -> io::Result<Self> {
        let root = folder.canonicalize()?;
        let mut files = HashMap::new();
        collect(&root, &root, 0, &mut files)?;
        Ok(Self { base, files })
    }

    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// The file of this name. Parts with a hash in their name never change; all else is asked for each time.
    pub async fn answer(&self, name: &str) -> Response {
        let Some(path) = self.files.get(name) else { return crate::extract::no_route().into_response() };
        let bytes = match tokio::fs::read(path).await {
            Ok(bytes) => bytes,
            Err(error) => {
                let problem = anyhow::Error::from(error).context(format!("cannot read {}", path.display()));
                return ApiError::Internal(problem).into_response();
            }
        };
        let (kind, has_placeholders) = media_type(name);
        let body = match String::from_utf8(bytes) {
            Ok(text) if has_placeholders => Body::from(text.replace(PLACEHOLDER, &self.base)),
            Ok(text) => Body::from(text),
            Err(error) => Body::from(error.into_bytes()),
        };
        let keeping = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static(keeping)),
        ];
        (headers, body).into_response()
    }
}

fn collect(root: &Path, folder: &Path, depth: usize, files: &mut HashMap<String, PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_link = path.symlink_metadata()?.is_symlink();
        if path.is_dir() {
            if !is_link && depth < DEEPEST {
                collect(root, &path, depth + 1, files)?;
            }
            continue;
        }
        // A link may name a file of the same bundle, and no other.
        let is_inside = !is_link || path.canonicalize().is_ok_and(|real| real.starts_with(root));
        if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str).filter(|_| is_inside) {
            files.insert(name.replace(std::path::MAIN_SEPARATOR, "/"), path.clone());
        }
    }
    Ok(())
}

/// The type of a file, and whether it may hold the placeholder.
fn media_type(name: &str) -> (&'static str, bool) {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => ("text/html; charset=utf-8", true),
        "js" | "mjs" => ("text/javascript; charset=utf-8", true),
        "css" => ("text/css; charset=utf-8", true),
        "json" | "map" => ("application/json", true),
        "webmanifest" => ("application/manifest+json", true),
        "txt" => ("text/plain; charset=utf-8", true),
        "xml" => ("application/xml", false),
        "svg" => ("image/svg+xml", false),
        "png" => ("image/png", false),
        "ico" => ("image/x-icon", false),
        "ttf" => ("font/ttf", false),
        "woff2" => ("font/woff2", false),
        "wasm" => ("application/wasm", false),
        _ => ("application/octet-stream", false),
    }
}

/// A path of a URL with its escapes undone; `None` where they are none.
pub fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let code = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(code, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}
