//! Requests of automations to the world: bounded in time and size, and not to addresses that only this server can reach
//! unless that is allowed.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 5;
/// As much of an answer as is kept.
const KEPT_CHARACTERS: usize = 1000;
/// As much of an answer as is read.
const READ_BYTES: usize = 1024 * 1024;

/// Clients that go everywhere, and clients that stay in public; each also in a kind that does not check certificates.
pub struct Outgoing {
    anywhere: [Client; 2],
    public: [Client; 2],
    /// Whether this server may send to private addresses at all.
    allows_private: bool,
}

/// Where a request may go, and how it is made sure that it got there.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub allows_private: bool,
    pub checks_certificates: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self { allows_private: true, checks_certificates: true }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Received {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The body; of a long one its beginning and its end.
    pub body: String,
}

/// A request to send.
#[derive(Clone, Debug)]
pub struct Letter {
    pub method: reqwest::Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Content>,
}

#[derive(Clone, Debug)]
pub enum Content {
    Text(String),
    Json(serde_json::Value),
    Form(Vec<(String, String)>),
}

impl Letter {
    /// JSON, posted.
    pub fn json(url: impl Into<String>, body: serde_json::Value) -> Self {
        Self { method: reqwest::Method::POST, url: url.into(), headers: Vec::new(), body: Some(Content::Json(body)) }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl Outgoing {
    pub fn new(allows_private: bool) -> anyhow::Result<Self> {
        let both =
            |public: bool| -> anyhow::Result<[Client; 2]> { Ok([client(public, true)?, client(public, false)?]) };
        Ok(Self { anywhere: both(false)?, public: both(true)?, allows_private })
    }

    /// Sends; the error is a sentence for the user.
    pub async fn send(&self, letter: &Letter, manner: Manner) -> Result<Received, String> {
        let url = Url::parse(&letter.url).map_err(|error| format!("`{}` is no URL: {error}", letter.url))?;
        let is_public = !(self.allows_private && manner.allows_private);
        if is_public && is_private_host(&url) {
            return Err(refused(url.host_str().unwrap_or_default()));
        }
        let clients = if is_public { &self.public } else { &self.anywhere };
        let client = &clients[usize::from(!manner.checks_certificates)];
        let mut request = client.request(letter.method.clone(), url);
        for (name, value) in &letter.headers {
            request = request.header(name, value);
        }
        request = match &letter.body {
            Some(Content::Text(text)) => request.body(text.clone()),
            Some(Content::Json(value)) => {
                request.header(reqwest::header::CONTENT_TYPE, "application/json").body(value.to_string())
            }
            Some(Content::Form(pairs)) => request.form(pairs),
            None => request,
        };
        let response = request.send().await.map_err(|error| told(&error))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        Ok(Received { status, headers, body: shortened(&read(response).await) })
    }
}

async fn read(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= READ_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The beginning and the end of a long text, and how much is left out, unless to say so is longer than what it says.
fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= KEPT_CHARACTERS {
        return text.to_owned();
    }
    let half = KEPT_CHARACTERS / 2;
    let omitted = count - 2 * half;
    let beginning: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(half + omitted).collect();
    let short = format!("{beginning}...{omitted} additional characters...{end}");
    if short.chars().count() < count { short } else { text.to_owned() }
}

fn client(is_public: bool, checks_certificates: bool) -> anyhow::Result<Client> {
    let policy = Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS {
            return attempt.error("too many redirects");
        }
        if is_public && is_private_host(attempt.url()) {
            let host = attempt.url().host_str().unwrap_or_default().to_owned();
            return attempt.error(refused(&host));
        }
        attempt.follow()
    });
    let mut builder = Client::builder()
        .timeout(TIMEOUT)
        .redirect(policy)
        .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
        .danger_accept_invalid_certs(!checks_certificates);
    if is_public {
        builder = builder.dns_resolver(PublicOnly).no_proxy();
    }
    Ok(builder.build()?)
}

fn refused(host: &str) -> String {
    format!(
        "`{host}` is a private address, and this server does not send to those; \
         TIDEGATE_SERVER_ALLOW_PRIVATE_URLS=true allows it"
    )
}

/// The innermost reason says most.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

fn is_private_host(url: &Url) -> bool {
    match url.host_str().map(|host| host.trim_matches(['[', ']'])) {
        Some(host) => host.parse::<IpAddr>().is_ok_and(is_private),
        None => true,
    }
}

/// An address that is not of the public internet.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_multicast()
                || address.is_documentation()
                || first == 0
                || first >= 240
                || (first == 100 && (64..128).contains(&second))
                || (first == 198 && (18..20).contains(&second))
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_private(mapped.into()),
            None => {
                let first = address.segments()[0];
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || (first & 0xfe00) == 0xfc00
                    || (first & 0xffc0) == 0xfe80
            }
        },
    }
}

/// Looks names up and leaves out private addresses, at the moment of connecting: a name that changes its address between
/// a check and the connection gains nothing.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| !is_private(address.ip())).collect();
            if public.is_empty() {
                return Err(refused(name.as_str()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{is_private, shortened};

    #[test]
    fn of_a_long_answer_the_beginning_and_the_end_are_kept() {
        let told = |count: usize| shortened(&"é".repeat(count));
        assert_eq!(told(1000), "é".repeat(1000));
        // Leaving these out would take more characters than it saves.
        assert_eq!(told(1028), "é".repeat(1028));
        let half = "é".repeat(500);
        assert_eq!(told(3456), format!("{half}...2456 additional characters...{half}"));
    }

    #[test]
    fn private_addresses_are_known() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "100.128.0.1", "172.32.0.1"] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}
