//! Block types, their schemas, and the documents, with their secrets.

use anyhow::bail;
use serde_json::{Value, json};
use tidegate_client::Error;

use super::side::{Side, only, text};
use super::{Copy, Outcome};

/// What a server shows of a secret that it keeps to itself.
const HIDDEN: &str = "********";

/// Documents with their secrets, those without a name included: other things refer to them.
pub async fn read(source: &Side<'_>) -> anyhow::Result<Vec<Value>> {
    let filter = |is_anonymous: bool| json!({ "include_secrets": true, "block_documents": { "is_anonymous": { "eq_": is_anonymous } } });
    let mut documents = source.every("/block_documents/filter", &filter(false)).await?;
    documents.extend(source.every("/block_documents/filter", &filter(true)).await?);
    Ok(documents)
}

pub fn slug(document: &Value) -> String {
    let kind = document["block_type"]["slug"].as_str().unwrap_or_default();
    format!("{kind}/{}", document["name"].as_str().unwrap_or_default())
}

impl Copy<'_> {
    pub(super) async fn block_type(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        if let Some(found) = self.target.0.read_block_type(text(item, "slug")?).await? {
            return Ok(self.keep(item, found.id));
        }
        let fields = ["name", "slug", "logo_url", "documentation_url", "description", "code_example"];
        self.create("/block_types/", item, &only(item, &fields)).await
    }

    pub(super) async fn block_schema(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        let (checksum, version) = (text(item, "checksum")?, item["version"].as_str().unwrap_or("non-versioned"));
        if let Some(found) = self.target.find(&format!("/block_schemas/checksum/{checksum}?version={version}")).await? {
            self.ids.put(&item["id"], &found["id"]);
            return Ok(Outcome::Kept);
        }
        let Some(kind) = self.ids.of(&item["block_type_id"]) else { bail!("its block type was not copied") };
        let mut body = only(item, &["fields", "capabilities", "version"]);
        body["block_type_id"] = json!(kind);
        match self.target.post_once("/block_schemas/", &body).await {
            Ok((created, was_there)) => {
                self.ids.put(&item["id"], &created["id"]);
                Ok(if was_there { Outcome::Kept } else { Outcome::Copied })
            }
            // The schemas within it may not be there yet.
            Err(error) if is_refused(&error) => Ok(Outcome::Waits(error.to_string())),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn block(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        let kind = item["block_type"]["slug"].as_str().unwrap_or_default();
        // Those without a name of somebody's choice have one that the source made, and keep it: so a second start finds them.
        let name = text(item, "name")?;
        if let Some(found) = self.target.0.read_block_document_by_name(kind, name, false).await? {
            return Ok(self.keep(item, found.id));
        }
        let Some(data) = self.data_of(item) else {
            return Ok(Outcome::Waits("a block that it refers to was not copied".to_owned()));
        };
        if is_hidden(&data) {
            bail!("the source keeps its secrets to itself");
        }
        let (Some(kind), Some(schema)) = (self.ids.of(&item["block_type_id"]), self.ids.of(&item["block_schema_id"]))
        else {
            bail!("its block type or schema was not copied");
        };
        let is_anonymous = item["is_anonymous"] == Value::Bool(true);
        let body = json!({
            "name": name, "data": data, "block_type_id": kind, "block_schema_id": schema, "is_anonymous": is_anonymous,
        });
        self.create("/block_documents/", item, &body).await
    }

    /// The data with references in the place of the documents that the source put there; `None` while one is not there.
    fn data_of(&self, item: &Value) -> Option<Value> {
        let mut data = item["data"].clone();
        for (field, reference) in item["block_document_references"].as_object().into_iter().flatten() {
            let id = self.ids.of(&reference["block_document"]["id"])?;
            data[field] = json!({ "$ref": { "block_document_id": id } });
        }
        Some(self.ids.translated(&data))
    }
}

fn is_refused(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Status { status: 400 | 404 | 409 | 422, .. }))
}

fn is_hidden(data: &Value) -> bool {
    match data {
        Value::String(text) => text == HIDDEN,
        Value::Array(items) => items.iter().any(is_hidden),
        Value::Object(fields) => fields.values().any(is_hidden),
        _ => false,
    }
}
