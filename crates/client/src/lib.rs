//! The typed client of the API: HTTP with retries, and the WebSocket streams. It speaks to our server and to any
//! Prefect 3 server, and decides nothing: what an answer means is its caller's business.
//!
//! One file per noun; [`Client::request`] is the door for everything that has no method of its own.

mod admin;
mod artifacts;
mod automations;
mod blocks;
mod concurrency_limits;
mod config;
mod csrf;
mod deployments;
mod error;
mod events;
mod flow_runs;
mod flows;
mod http;
mod logs;
mod page;
mod retry;
mod socket;
mod streams;
mod task_runs;
mod variables;
mod webhooks;
mod work_pools;
mod work_queues;
mod worker_channel;

pub use admin::TidegateVersion;
pub use config::{Config, Credentials};
pub use error::Error;
pub use http::{Client, Response};
pub use page::Page;
pub use reqwest::Method;
pub use streams::{EventPublisher, Streamed, Subscription};

pub type Result<T> = std::result::Result<T, Error>;
