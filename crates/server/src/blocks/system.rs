//! The block types that clients expect on every server: `webhook`, `secret` and `local-file-system`. Their schemas are
//! facts of the protocol: clients look them up by checksum.

use serde::Deserialize;
use tidegate_api::blocks::{BlockSchemaCreate, BlockTypeCreate};
use tidegate_core::json::Json;
use tidegate_store::{Protection, Tx};

use super::schemas;
use crate::error::ApiError;

const BLOCKS: &str = include_str!("system.json");

#[derive(Deserialize)]
struct SystemBlock {
    block_type: BlockTypeCreate,
    fields: Json,
    capabilities: Vec<String>,
    version: String,
}

fn blocks() -> Vec<SystemBlock> {
    serde_json::from_str(BLOCKS).expect("the file is part of the program")
}

/// Makes what is missing; what clients have changed since stays.
pub async fn install(tx: &mut Tx) -> Result<(), ApiError> {
    for block in blocks() {
        let known = match tx.read_block_type_by_slug(&block.block_type.slug).await? {
            Some(known) => Some(known),
            None => tx.create_block_type(&block.block_type, Protection::System).await?,
        };
        // Another server installs the same at this moment: the write is run again and finds them.
        let kind = known.ok_or_else(|| tidegate_store::Error::Conflict("a block type was installed twice".into()))?;
        if !kind.is_protected {
            tx.protect_block_type(kind.id).await?;
        }
        let schema = BlockSchemaCreate {
            fields: block.fields,
            block_type_id: kind.id,
            capabilities: block.capabilities,
            version: block.version,
        };
        schemas::register(tx, &schema).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::checksum::checksum;

    #[test]
    fn schemas_have_the_checksums_that_clients_look_for() {
        let checksums: Vec<(String, String)> = blocks()
            .into_iter()
            .map(|block| (block.block_type.slug, checksum(&block.fields.parse().unwrap())))
            .collect();
        let expected = [
            ("webhook", "sha256:58bb03f0d84592252ad568ed9a8c899792ae5d0ad2dd4a2428e99674f9050cf1"),
            ("secret", "sha256:c078ed9c1e813e224c0b353d7ad4564a11d51d3198d9ac0686478165a1911c78"),
            ("local-file-system", "sha256:0fc8b7f936f38f465715ef2df4a817ac9fe38b80bb01d5c6c9649a6da6ae6971"),
        ];
        assert_eq!(checksums, expected.map(|(slug, sum)| (slug.to_owned(), sum.to_owned())));
    }
}
