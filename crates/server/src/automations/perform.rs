//! The actions themselves: what each asks of the API or of the world, and how that is told.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tidegate_api::{
    automations::{Action, FlowRunState, RunDeployment, Source},
    events::{ReceivedEvent, Resource},
};
use tidegate_store::related;
use uuid::Uuid;

use super::{
    Cause, Outcome, Tools,
    context::Context,
    notifications::{self, Message},
    outgoing::{Content, Letter, Manner},
    requests::Answer,
};
use crate::App;

const ID: &str = "prefect.resource.id";
/// How long a run that an automation suspends waits to be resumed.
const SUSPENDED_SECONDS: f64 = 3600.0;

/// Why an action cannot go on; the outcome tells.
struct Stopped;

type Done = Result<(), Stopped>;

/// One action in the making.
struct Performance<'a> {
    app: &'a App,
    tools: &'a Tools,
    cause: &'a Cause<'a>,
    outcome: Outcome,
}

/// Carries an action out.
pub(super) async fn perform(app: &App, tools: &Tools, cause: &Cause<'_>) -> Outcome {
    let mut performance = Performance { app, tools, cause, outcome: Outcome::default() };
    let _: Done = performance.act(&cause.pending.action).await;
    performance.outcome
}

impl Performance<'_> {
    fn stop(&mut self, reason: impl Into<String>) -> Stopped {
        self.outcome.fail(reason);
        Stopped
    }

    async fn act(&mut self, action: &Action) -> Done {
        let by = self.cause.pending.automation.id;
        match action {
            Action::DoNothing {} => Ok(()),
            Action::RunDeployment(run) => self.run_deployment(run).await,
            Action::PauseDeployment { source, deployment_id } => {
                self.command_deployment(*source, *deployment_id, "pause_deployment").await
            }
            Action::ResumeDeployment { source, deployment_id } => {
                self.command_deployment(*source, *deployment_id, "resume_deployment").await
            }
            Action::CancelFlowRun {} => {
                let state = json!({ "type": "CANCELLING", "message": format!("Cancelled by Automation {by}") });
                self.set_state(state, false).await
            }
            Action::SuspendFlowRun {} => {
                let until = self.app.store.now().plus_seconds(SUSPENDED_SECONDS);
                let state = json!({
                    "type": "PAUSED",
                    "name": "Suspended",
                    "message": format!("Suspended by Automation {by}"),
                    "state_details": { "pause_timeout": until, "pause_reschedule": true },
                });
                self.set_state(state, false).await
            }
            Action::ChangeFlowRunState(FlowRunState { name, state, message, force }) => {
                let message = message.clone().filter(|message| !message.is_empty());
                let message = message.unwrap_or_else(|| format!("State changed by Automation {by}"));
                self.set_state(json!({ "type": state, "name": name, "message": message }), *force).await
            }
            Action::ResumeFlowRun {} => self.resume_flow_run().await,
            Action::DeleteFlowRun {} => {
                let id = self.flow_run()?;
                self.target("flow-run", id, None);
                let answer = self.ask(Method::DELETE, &format!("/flow_runs/{id}"), None).await?;
                self.judge(&answer)
            }
            Action::PauseWorkPool { source, work_pool_id } => self.command_pool(*source, *work_pool_id, true).await,
            Action::ResumeWorkPool { source, work_pool_id } => self.command_pool(*source, *work_pool_id, false).await,
            Action::PauseWorkQueue { source, work_queue_id } => self.command_queue(*source, *work_queue_id, true).await,
            Action::ResumeWorkQueue { source, work_queue_id } => {
                self.command_queue(*source, *work_queue_id, false).await
            }
            Action::PauseAutomation { source, automation_id } => {
                self.command_automation(*source, *automation_id, false).await
            }
            Action::ResumeAutomation { source, automation_id } => {
                self.command_automation(*source, *automation_id, true).await
            }
            Action::CallWebhook { block_document_id, payload } => self.call_webhook(*block_document_id, payload).await,
            Action::SendNotification { block_document_id, subject, body } => {
                self.send_notification(*block_document_id, subject, body).await
            }
        }
    }

    async fn run_deployment(&mut self, run: &RunDeployment) -> Done {
        let id = self.chosen(run.source, run.deployment_id, "deployment")?;
        self.target("deployment", id, None);
        let scheduled = self.app.store.now().plus_seconds(run.schedule_after);
        let context = Context::new(self.app, self.tools, self.cause);
        let parameters = match context.parameters(run.parameters.as_ref()).await {
            Ok(parameters) => parameters,
            Err(why) => return Err(self.stop(format!("Unable to create flow run from deployment: {why}"))),
        };
        let pending = self.cause.pending;
        let key =
            format!("automation {}, action {}, invocation {}", pending.automation.id, pending.position, pending.id);
        let body = json!({
            "state": { "type": "SCHEDULED", "state_details": { "scheduled_time": scheduled } },
            "parameters": parameters,
            "idempotency_key": key,
            "job_variables": run.job_variables,
        });
        let answer = self.ask(Method::POST, &format!("/deployments/{id}/create_flow_run"), Some(body)).await?;
        if answer.is_good() {
            let text = |field: &str| answer.body[field].as_str().unwrap_or_default().to_owned();
            let run = related(format!("prefect.flow-run.{}", text("id")), "flow-run", Some(&text("name")));
            self.outcome.related.push(run);
        }
        if answer.status == StatusCode::CONFLICT {
            self.outcome.details.insert("validation_error".into(), answer.body["detail"].clone());
        }
        self.judge(&answer)
    }

    async fn command_deployment(&mut self, source: Source, id: Option<Uuid>, command: &str) -> Done {
        let id = self.chosen(source, id, "deployment")?;
        self.target("deployment", id, None);
        let answer = self.ask(Method::POST, &format!("/deployments/{id}/{command}"), None).await?;
        self.judge(&answer)
    }

    async fn command_pool(&mut self, source: Source, id: Option<Uuid>, paused: bool) -> Done {
        let id = self.chosen(source, id, "work-pool")?;
        let filter = json!({ "work_pools": { "id": { "any_": [id] } } });
        let answer = self.ask(Method::POST, "/work_pools/filter", Some(filter)).await?;
        let Some(name) = answer.body[0]["name"].as_str().map(ToOwned::to_owned) else {
            return Err(self.stop(format!("Work pool {id} not found")));
        };
        self.target("work-pool", id, Some(&name));
        let answer =
            self.ask(Method::PATCH, &format!("/work_pools/{name}"), Some(json!({ "is_paused": paused }))).await?;
        self.judge(&answer)
    }

    async fn command_queue(&mut self, source: Source, id: Option<Uuid>, paused: bool) -> Done {
        let id = self.chosen(source, id, "work-queue")?;
        self.target("work-queue", id, None);
        let answer =
            self.ask(Method::PATCH, &format!("/work_queues/{id}"), Some(json!({ "is_paused": paused }))).await?;
        self.judge(&answer)
    }

    async fn command_automation(&mut self, source: Source, id: Option<Uuid>, enabled: bool) -> Done {
        let id = self.chosen(source, id, "automation")?;
        self.target("automation", id, None);
        let answer =
            self.ask(Method::PATCH, &format!("/automations/{id}"), Some(json!({ "enabled": enabled }))).await?;
        self.judge(&answer)
    }

    async fn set_state(&mut self, state: Value, force: bool) -> Done {
        let id = self.flow_run()?;
        self.target("flow-run", id, None);
        let body = json!({ "state": state, "force": force });
        let answer = self.ask(Method::POST, &format!("/flow_runs/{id}/set_state"), Some(body)).await?;
        self.judge(&answer)?;
        self.require_accepted(&answer, "Failed to set state")
    }

    async fn resume_flow_run(&mut self) -> Done {
        let id = self.flow_run()?;
        self.target("flow-run", id, None);
        let answer = self.ask(Method::POST, &format!("/flow_runs/{id}/resume"), None).await?;
        if !answer.is_good() {
            self.judge(&answer)?;
        }
        self.require_accepted(&answer, "Failed to resume flow run")
    }

    fn require_accepted(&mut self, answer: &Answer, what: &str) -> Done {
        if answer.body["status"] == "ACCEPT" {
            return Ok(());
        }
        let reason = answer.body["details"]["reason"].as_str().unwrap_or("no reason was given");
        Err(self.stop(format!("{what}: {reason}")))
    }

    async fn call_webhook(&mut self, block: Uuid, payload: &str) -> Done {
        let is_webhook = |slug: &str| match slug {
            "webhook" => Ok(()),
            _ => Err("The referenced block was not a webhook block".to_owned()),
        };
        let (_, data) = self.block(block, is_webhook, "The webhook block was invalid").await?;
        let payload = self.render(payload).await?;
        let text = |field: &str| data.get(field).and_then(Value::as_str);
        let Some(url) = text("url") else {
            return Err(self.stop("The webhook block was invalid: it has no `url`"));
        };
        let method = text("method").unwrap_or("POST");
        let Ok(method) = method.parse() else {
            return Err(self.stop(format!("The webhook block was invalid: `{method}` is no HTTP method")));
        };
        let headers = data.get("headers").and_then(Value::as_object).into_iter().flatten();
        let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        let letter = Letter { method, url: url.to_owned(), headers, body: Some(Content::Text(payload)) };
        self.send(&letter, manner(&data), "Webhook call failed").await
    }

    async fn send_notification(&mut self, block: Uuid, subject: &str, body: &str) -> Done {
        let (slug, data) = self.block(block, notifications::check, "The notification block was invalid").await?;
        let (subject, body) = (self.render(subject).await?, self.render(body).await?);
        let letters = notifications::letters(&slug, &data, Message { subject: &subject, body: &body });
        let letters = letters.map_err(|why| self.stop(why))?;
        for letter in letters {
            self.send(&letter, manner(&data), "Notification failed").await?;
        }
        // What the receiver answers is of no interest when it is well.
        self.outcome.details.clear();
        Ok(())
    }

    /// Sends and tells what came back. The other side's trouble may be over soon; ours is not.
    async fn send(&mut self, letter: &Letter, manner: Manner, what: &str) -> Done {
        let received = match self.tools.outgoing.send(letter, manner).await {
            Ok(received) => received,
            Err(why) => {
                self.outcome.may_be_tried_again = true;
                return Err(self.stop(format!("{what}: {why}")));
            }
        };
        let headers: Map<String, Value> = received
            .headers
            .into_iter()
            .filter(|(name, _)| !is_private_header(name))
            .map(|(name, value)| (name, value.into()))
            .collect();
        let details = &mut self.outcome.details;
        details.insert("status_code".into(), received.status.into());
        details.insert("response_body".into(), received.body.into());
        details.insert("response_headers".into(), headers.into());
        let is_webhook = what.starts_with("Webhook");
        self.outcome.may_be_tried_again = received.status >= 500 || received.status == 429;
        // What a webhook answers is its own business, as long as it answers.
        if self.outcome.may_be_tried_again || (!is_webhook && received.status >= 300) {
            return Err(self.stop(format!("{what}: the receiver answered {}", received.status)));
        }
        Ok(())
    }

    /// A block's type and data, secrets included. A block of a type that will not do has no part in what happened.
    async fn block(
        &mut self,
        id: Uuid,
        check: impl Fn(&str) -> Result<(), String>,
        problem: &str,
    ) -> Result<(String, Map<String, Value>), Stopped> {
        let answer = self.ask(Method::GET, &format!("/block_documents/{id}?include_secrets=true"), None).await?;
        if !answer.is_good() {
            let reason = self.reason(&answer);
            return Err(self.stop(reason));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (slug, name) = (text(&answer.body["block_type"]["slug"]), text(&answer.body["name"]));
        check(&slug).map_err(|why| self.stop(why))?;
        let Some(data) = answer.body["data"].as_object() else {
            return Err(self.stop(format!("{problem}: it has no data")));
        };
        self.outcome.related.push(related(format!("prefect.block-document.{id}"), "block", Some(&name)));
        self.outcome.related.push(related(format!("prefect.block-type.{slug}"), "block-type", None));
        Ok((slug, data.clone()))
    }

    async fn render(&mut self, template: &str) -> Result<String, Stopped> {
        let context = Context::new(self.app, self.tools, self.cause);
        match context.render(template).await {
            Ok(text) => Ok(text),
            Err(why) => {
                self.outcome.details.insert("template_error".into(), why.clone().into());
                self.outcome.details.insert("template_source".into(), template.into());
                Err(self.stop(format!("Template rendering failed: {why}")))
            }
        }
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, Stopped> {
        let answer = self.tools.requests.send(method, path, body, &self.cause.pending.automation).await;
        let answer = answer.map_err(|error| self.stop(format!("the API could not be asked: {error:#}")))?;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            self.outcome.may_be_tried_again = true;
        }
        Ok(answer)
    }

    /// The command's answer is what the action tells.
    fn judge(&mut self, answer: &Answer) -> Done {
        self.outcome.details.insert("status_code".into(), answer.status.as_u16().into());
        if answer.is_good() {
            return Ok(());
        }
        let reason = self.reason(answer);
        Err(self.stop(reason))
    }

    fn reason(&self, answer: &Answer) -> String {
        let kind = self.cause.pending.action.kind();
        let detail = answer.body.get("detail").filter(|detail| !detail.is_null());
        let detail = detail.map(|detail| detail.as_str().map_or_else(|| detail.to_string(), ToOwned::to_owned));
        match (answer.status.as_u16(), detail) {
            (409 | 422, Some(detail)) => format!("Validation error occurred for '{kind}' - {detail}"),
            (422, None) => format!("Validation error occurred for '{kind}'"),
            (409, None) => format!("Conflict (409) occurred for '{kind}' - '{}'", answer.body),
            (status, _) => format!("Unexpected status from '{kind}' action: {status}"),
        }
    }

    fn target(&mut self, kind: &str, id: Uuid, name: Option<&str>) {
        self.outcome.related.push(related(format!("prefect.{kind}.{id}"), "target", name));
    }

    /// The object that the action names, or else the first of its kind that the event names.
    fn chosen(&mut self, source: Source, id: Option<Uuid>, kind: &str) -> Result<Uuid, Stopped> {
        if let (Source::Selected, Some(id)) = (source, id) {
            return Ok(id);
        }
        let what = kind.replace('-', " ");
        let Some(event) = &self.cause.event else { return Err(self.stop(format!("No event to infer the {what}"))) };
        let found = first_of_kind(event, kind);
        found.ok_or_else(|| self.stop(format!("No {what} could be inferred")))
    }

    /// The flow run that the firing is about.
    fn flow_run(&mut self) -> Result<Uuid, Stopped> {
        let labelled = self.cause.pending.firing.triggering_labels.get(ID);
        let labelled = labelled.and_then(|id| id_of_kind(id, "flow-run"));
        let found = labelled.or_else(|| first_of_kind(self.cause.event.as_ref()?, "flow-run"));
        found.ok_or_else(|| self.stop("No flow run could be inferred"))
    }
}

fn manner(data: &Map<String, Value>) -> Manner {
    let flag = |field: &str| data.get(field).and_then(Value::as_bool).unwrap_or(true);
    Manner { allows_private: flag("allow_private_urls"), checks_certificates: flag("verify") }
}

/// The resource that an event is about, and those related to it.
pub(super) fn resources(event: &ReceivedEvent) -> impl Iterator<Item = &Resource> {
    std::iter::once(&event.resource).chain(&event.related)
}

/// The id in the first resource of a kind.
fn first_of_kind(event: &ReceivedEvent, kind: &str) -> Option<Uuid> {
    let is_kind =
        |id: &&String| id.rsplit_once('.').is_some_and(|(start, _)| start.strip_prefix("prefect.") == Some(kind));
    let id = resources(event).filter_map(|resource| resource.get(ID)).find(is_kind)?;
    id_of_kind(id, kind)
}

pub(super) fn id_of_kind(resource_id: &str, kind: &str) -> Option<Uuid> {
    let (start, id) = resource_id.rsplit_once('.')?;
    (start.strip_prefix("prefect.")? == kind).then(|| Uuid::parse_str(id).ok()).flatten()
}

/// Headers that tell of secrets, or of nothing but the way.
fn is_private_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "authorization" | "traceparent" | "via")
        || ["x-forwarded", "x-b3", "x-cloud-trace", "x-envoy", "x-prefect"].iter().any(|start| name.starts_with(start))
}
