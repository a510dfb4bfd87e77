//! Job variables held against the variables that a pool's base job template declares: the pool's defaults below, the
//! deployment's variables over them, the run's on top.

use serde_json::{Map, Value};
use tidegate_api::deployments::Deployment;
use tidegate_core::json::Json;
use tidegate_store::Tx;
use uuid::Uuid;

use crate::{
    error::ApiError,
    parameters::{self, CIRCULAR, Strictness, Unfit, schema},
};

/// Who asks; it decides the words of a refusal and how strict the check is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// The template itself is written: its defaults must be right.
    Pool,
    CreateDeployment,
    /// Everything must be there now.
    CreateFlowRun,
    UpdateFlowRun,
}

impl Occasion {
    fn prefix(self) -> &'static str {
        match self {
            Self::Pool => "Validation failed for work pool's job variable defaults",
            Self::CreateDeployment => "Error creating deployment",
            Self::CreateFlowRun => "Error creating flow run",
            Self::UpdateFlowRun => "Error updating flow run",
        }
    }

    fn is_last(self) -> bool {
        matches!(self, Self::CreateFlowRun | Self::UpdateFlowRun)
    }
}

/// Checks layers of job variables, the lower ones first, against a base job template.
pub async fn check_job_variables(
    tx: &mut Tx,
    template: &Json,
    layers: &[&Json],
    occasion: Occasion,
) -> Result<(), ApiError> {
    let template = template.value();
    let Some(declared) = template.get("variables").filter(|variables| !is_empty(variables)) else { return Ok(()) };
    parameters::check_schema(declared).map_err(|why| ApiError::unprocessable(format!("Invalid schema: {why}")))?;
    let defaults = defaults(tx, declared, occasion).await?;
    let mut values = defaults.values;
    for layer in layers {
        values.extend(parameters::object(layer.value()));
    }
    let strictness = Strictness {
        // A default that does not fit was left out; what it was for cannot be asked of others.
        ignore_required: !occasion.is_last() || defaults.incomplete,
        allow_null_with_default: true,
    };
    parameters::check(&Value::Object(values), declared, strictness).map_err(|unfit| match unfit {
        Unfit::Mismatch(text) => ApiError::unprocessable(format!("{}: {text}", occasion.prefix())),
        Unfit::Circular => ApiError::unprocessable(CIRCULAR),
    })
}

/// Checks a run's job variables over its deployment's. A deployment without a pool has no template to be held against.
pub async fn check_run_variables(
    tx: &mut Tx,
    deployment: &Deployment,
    variables: Option<&Json>,
    occasion: Occasion,
) -> Result<(), ApiError> {
    let Some(pool) = &deployment.work_pool_name else { return Ok(()) };
    let Some(pool) = tx.read_work_pool_by_name(pool).await? else { return Ok(()) };
    let mut layers = vec![&deployment.job_variables];
    layers.extend(variables);
    check_job_variables(tx, &pool.base_job_template, &layers, occasion).await
}

/// What is wrong with the job variables that an automation gives to runs of a deployment. They must be enough by themselves.
pub async fn problem_of_run(
    tx: &mut Tx,
    deployment: &Deployment,
    variables: &Json,
) -> Result<Option<String>, ApiError> {
    if is_empty(&deployment.job_variables.value()) && is_empty(&variables.value()) {
        return Ok(None);
    }
    let Some(pool) = &deployment.work_pool_name else { return Ok(None) };
    let Some(pool) = tx.read_work_pool_by_name(pool).await? else { return Ok(None) };
    let template = pool.base_job_template.value();
    let Some(declared) = template.get("variables").filter(|variables| !is_empty(variables)) else { return Ok(None) };
    let mut values = defaults(tx, declared, Occasion::CreateFlowRun).await?.values;
    values.extend(parameters::object(variables.value()));
    let strictness = Strictness { ignore_required: false, allow_null_with_default: true };
    Ok(match parameters::check(&Value::Object(values), declared, strictness) {
        Ok(()) => None,
        Err(Unfit::Mismatch(text)) => Some(text),
        Err(Unfit::Circular) => Some(CIRCULAR.to_owned()),
    })
}

/// The first thing wrong with job variables alone, as an update of a deployment tells it.
pub fn first_problem(template: &Json, variables: &Json) -> Result<(), String> {
    let template = template.value();
    let Some(declared) = template.get("variables") else { return Ok(()) };
    let declared = parameters::without_required(&parameters::mended(declared, false));
    match schema::violations(&variables.value(), &declared) {
        Ok(violations) => violations.into_iter().next().map_or(Ok(()), |violation| {
            Err(format!("<ValidationError: {}>", parameters::python::repr_text(&violation.message)))
        }),
        Err(schema::Broken::Circular) => Err(CIRCULAR.to_owned()),
        Err(schema::Broken::Unresolvable(why)) => Err(why),
    }
}

struct Defaults {
    values: Map<String, Value>,
    /// Some default is not known or does not fit.
    incomplete: bool,
}

async fn defaults(tx: &mut Tx, declared: &Value, occasion: Occasion) -> Result<Defaults, ApiError> {
    let mut defaults = Defaults { values: Map::new(), incomplete: false };
    let Some(properties) = declared.get("properties").and_then(Value::as_object) else { return Ok(defaults) };
    for (name, property) in properties {
        let Some(default) = property.get("default") else { continue };
        if let Some(reference) = default.as_object().and_then(|default| default.get("$ref")) {
            // A block stands for the value. Its data is the block's own matter; that it is there is ours.
            let Some(id) = reference.get("block_document_id").filter(|id| !id.is_null()) else { continue };
            require_block(tx, id).await?;
            defaults.incomplete = true;
            continue;
        }
        let alone = Value::Object([(name.clone(), default.clone())].into_iter().collect());
        if occasion != Occasion::Pool && parameters::check_as_is(&alone, declared, true).is_err() {
            defaults.incomplete = true;
            continue;
        }
        defaults.values.insert(name.clone(), default.clone());
    }
    Ok(defaults)
}

async fn require_block(tx: &mut Tx, id: &Value) -> Result<(), ApiError> {
    let absent = || ApiError::not_found("Block not found.");
    let id: Uuid = id.as_str().and_then(|id| id.parse().ok()).ok_or_else(absent)?;
    if tx.is_block_document(id).await? { Ok(()) } else { Err(absent()) }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}
