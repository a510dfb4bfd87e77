//! What clients that are set up for a hosted server ask before their first run: who they are, and which workspaces they have.
//! There is one of each, with fixed ids; any ids in a path lead to it.

use serde_json::{Value, json};
use tidegate_core::ids::WorkspaceId;
use uuid::Uuid;

use crate::{answer::Json, router::Routes};

/// The one account.
const ACCOUNT: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0002);
/// Whoever calls.
const CALLER: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0003);
const ACCOUNT_HANDLE: &str = "tidegate";
const WORKSPACE_HANDLE: &str = "default";

pub fn routes(routes: Routes) -> Routes {
    routes
        .get("/me", me)
        .get("/me/", me)
        .get("/me/accounts", accounts)
        .get("/me/workspaces", workspaces)
        .get("/accounts/{account}/settings", settings)
}

async fn me() -> Json<Value> {
    Json(json!({
        "id": CALLER,
        "email": "",
        "first_name": "",
        "last_name": "",
        "handle": "anybody",
    }))
}

async fn accounts() -> Json<Value> {
    Json(json!([{
        "account_id": ACCOUNT,
        "account_name": "Tidegate",
        "account_handle": ACCOUNT_HANDLE,
    }]))
}

/// Clients need every field, and build the URL of the workspace from the ids.
async fn workspaces() -> Json<Value> {
    Json(json!([{
        "account_id": ACCOUNT,
        "account_name": "Tidegate",
        "account_handle": ACCOUNT_HANDLE,
        "workspace_id": WorkspaceId::DEFAULT,
        "workspace_name": WORKSPACE_HANDLE,
        "workspace_description": "",
        "workspace_handle": WORKSPACE_HANDLE,
    }]))
}

/// What the account can do. What is not named does not exist here: clients say so by themselves (`enforce_ip_allowlist`).
async fn settings() -> Json<Value> {
    Json(json!({
        "allow_public_workspaces": false,
        "ai_log_summaries": false,
        "managed_execution": false,
    }))
}
