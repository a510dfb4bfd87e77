//! Who may ask: the auth string in each form that clients send it, and API keys. It knows no users and no roles; whoever
//! has one of these may do everything.

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use subtle::{Choice, ConstantTimeEq};

use crate::settings::Settings;

/// What a closed API asks for.
pub struct Access {
    auth_string: Option<String>,
    keys: Vec<String>,
}

impl Access {
    /// `None` where neither an auth string nor a key is set: such an API is open to everybody.
    pub fn of_settings(settings: &Settings) -> Option<Self> {
        let keys: Vec<String> = settings.api_keys.iter().filter(|key| !key.is_empty()).cloned().collect();
        let auth_string = settings.auth_string.clone().filter(|text| !text.is_empty());
        (auth_string.is_some() || !keys.is_empty()).then_some(Self { auth_string, keys })
    }

    /// Whether the request's `Authorization` header proves its sender.
    pub fn admits_headers(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| self.admits_header(value))
    }

    fn admits_header(&self, value: &str) -> bool {
        let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => BASE64
                .decode(credentials.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .is_some_and(|given| bool::from(self.is_auth_string(&given) | self.is_key_of_anybody(&given))),
            "bearer" => self.admits_token(credentials.trim()),
            _ => false,
        }
    }

    /// A bare token: the whole auth string, its password, or a key, with or without a user's name before it.
    pub fn admits_token(&self, token: &str) -> bool {
        let is_password = self.auth_string.as_deref().map_or(Choice::from(0), |expected| {
            let password = expected.split_once(':').map_or(expected, |(_, password)| password);
            is_same(token, password)
        });
        (self.is_auth_string(token) | is_password | self.is_key_of_anybody(token)).into()
    }

    fn is_auth_string(&self, given: &str) -> Choice {
        self.auth_string.as_deref().map_or(Choice::from(0), |expected| is_same(given, expected))
    }

    /// Clients that know nothing but auth strings send a key as the whole of one, or as its password.
    fn is_key_of_anybody(&self, given: &str) -> Choice {
        let password = given.split_once(':').map_or(given, |(_, password)| password);
        self.keys.iter().fold(Choice::from(0), |found, key| found | is_same(given, key) | is_same(password, key))
    }
}

/// Whether a request is proved by a token that no browser sends by itself.
pub fn is_bearer(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes).unwrap_or_default();
    value.len() > 7 && value[..7].eq_ignore_ascii_case(b"bearer ")
}

/// Tells nothing by the time that it takes but the length; nothing is the same as an empty text.
fn is_same(given: &str, expected: &str) -> Choice {
    given.as_bytes().ct_eq(expected.as_bytes()) & Choice::from(u8::from(!expected.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(auth_string: Option<&str>, keys: &[&str]) -> Option<Access> {
        let mut settings = Settings::new("/nowhere".into());
        settings.auth_string = auth_string.map(ToOwned::to_owned);
        settings.api_keys = keys.iter().map(ToString::to_string).collect();
        Access::of_settings(&settings)
    }

    #[test]
    fn without_a_secret_the_api_is_open_and_an_empty_one_is_none() {
        assert!(access(None, &[]).is_none());
        assert!(access(Some(""), &[""]).is_none());
        // An empty password, or the key that clients without one send, opens nothing.
        let closed = access(Some("admin:"), &["pnu_1"]).unwrap();
        assert!(!closed.admits_token(""));
        assert!(!closed.admits_header("Bearer "));
        assert!(!closed.admits_header("Basic "));
    }

    #[test]
    fn a_key_is_accepted_in_each_form_that_clients_send_it() {
        let closed = access(None, &["pnu_1", "pnb_2"]).unwrap();
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
        for accepted in ["Bearer pnu_1", "bearer pnb_2", &basic("pnu_1"), &basic("anybody:pnb_2")] {
            assert!(closed.admits_header(accepted), "{accepted}");
        }
        for refused in ["Bearer pnu_", "Bearer pnu_11", "pnu_1", "Digest pnu_1", &basic("pnu_1:anybody"), "Basic pnu_1"]
        {
            assert!(!closed.admits_header(refused), "{refused}");
        }
        assert!(closed.admits_token("pnu_1") && closed.admits_token("anybody:pnu_1") && !closed.admits_token("pnu_2"));
    }
}
