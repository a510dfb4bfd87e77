//! The server as its clients meet it: over HTTP and sockets, on a port of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Stamps out every named test for both databases; each takes the fresh one that it runs on.
macro_rules! on_both_databases {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(tidegate_testkit::sqlite().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(tidegate_testkit::postgres().await).await;
            })*
        }
    };
}

mod access;
mod accounts;
mod automations;
mod events;
mod leases;
mod logs;
mod recorder;
mod requests;
mod s3_example;
mod scheduling;
mod served;
mod shutdown;
mod slots;
mod sockets;
mod support;
mod task_workers;
mod versions;
mod web;
mod webhooks;
mod worker_channel;
