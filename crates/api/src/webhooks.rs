//! Incoming webhooks: addresses that outside senders post to, and the log of what they sent. The shape is that of Prefect
//! Cloud's API; how requests are checked and limited is ours.

use serde::{Deserialize, Serialize};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::{patch::Patch, yes};

/// What stands for a secret in answers. Sent back in an update, it means "as before".
pub const HIDDEN_SECRET: &str = "********";

/// How a request proves where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Verification {
    /// HMAC-SHA256 of the body, in hex, with or without `sha256=` in front.
    Github {
        #[serde(default)]
        secret: String,
        #[serde(default = "github_header")]
        header: String,
    },
    /// HMAC-SHA256 of time and body in `Stripe-Signature`; older ones than the tolerance are refused.
    Stripe {
        #[serde(default)]
        secret: String,
        #[serde(default = "stripe_tolerance")]
        tolerance_seconds: f64,
    },
    /// `Authorization: Bearer <secret>`.
    Bearer {
        #[serde(default)]
        secret: String,
    },
    /// `Authorization: Basic …`; the secret is `user:password`.
    Basic {
        #[serde(default)]
        secret: String,
    },
    /// The secret in a header of its own, such as `X-API-Key`.
    Header {
        #[serde(default)]
        secret: String,
        header: String,
    },
    /// A header that a proxy sets after it has checked the sender's certificate. The proxy must set or remove it on
    /// every request.
    Mtls { header: String, subjects: Vec<String> },
}

fn github_header() -> String {
    "X-Hub-Signature-256".into()
}

fn stripe_tolerance() -> f64 {
    300.0
}

impl Verification {
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Github { secret, .. }
            | Self::Stripe { secret, .. }
            | Self::Bearer { secret }
            | Self::Basic { secret }
            | Self::Header { secret, .. } => Some(secret),
            Self::Mtls { .. } => None,
        }
    }

    /// The same with another secret, where there is one.
    #[must_use]
    pub fn with_secret(mut self, text: &str) -> Self {
        match &mut self {
            Self::Github { secret, .. }
            | Self::Stripe { secret, .. }
            | Self::Bearer { secret }
            | Self::Basic { secret }
            | Self::Header { secret, .. } => text.clone_into(secret),
            Self::Mtls { .. } => {}
        }
        self
    }
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    pub enabled: bool,
    pub template: String,
    /// The last part of the address that senders use: `/hooks/{slug}`.
    pub slug: String,
    #[serde(default)]
    pub workspace: Option<Uuid>,
    #[serde(default)]
    pub service_account_id: Option<Uuid>,
    #[serde(default)]
    pub verification: Option<Verification>,
    /// Overrides the server's own limit.
    #[serde(default)]
    pub requests_per_minute: Option<i64>,
}

/// A webhook to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WebhookCreate {
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default = "yes")]
    pub enabled: bool,
    pub template: String,
    #[serde(default)]
    pub verification: Option<Verification>,
    #[serde(default)]
    pub requests_per_minute: Option<i64>,
}

/// Changes to a webhook. Clients that replace whole webhooks do not know all fields, so what is absent stays there too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebhookUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub name: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub enabled: Patch<bool>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub template: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub verification: Patch<Verification>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub requests_per_minute: Patch<i64>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookOutcome {
    /// It made an event.
    Accepted,
    /// The template made nothing of it, which is how a template says that it has no use for a request.
    Ignored,
    /// It did not prove where it comes from.
    Refused,
    /// The template made no event of it.
    Failed,
}

impl WebhookOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A request that a webhook was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WebhookRequest {
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub received: Timestamp,
    pub method: String,
    pub query: String,
    /// Names in lower case; what carries credentials is hidden.
    pub headers: Json,
    /// As text; `null` where it was not kept.
    pub body: Option<String>,
    pub body_bytes: i64,
    pub status: i64,
    pub outcome: WebhookOutcome,
    pub detail: Option<String>,
    pub event_id: Option<Uuid>,
    /// The request that this one repeats.
    pub replay_of: Option<Uuid>,
}
