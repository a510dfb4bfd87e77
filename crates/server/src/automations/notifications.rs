//! Notifications: what each kind of notification block sends, and where to. Sent by the server itself; no user code runs.

use serde_json::{Map, Value, json};

use super::outgoing::{Content, Letter};

/// What is said.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    pub subject: &'m str,
    pub body: &'m str,
}

impl Message<'_> {
    /// Both in one text, the subject in bold.
    fn marked(&self) -> String {
        if self.subject.is_empty() { self.body.to_owned() } else { format!("*{}*\n{}", self.subject, self.body) }
    }

    fn plain(&self) -> String {
        if self.subject.is_empty() { self.body.to_owned() } else { format!("{}\n{}", self.subject, self.body) }
    }
}

/// The types of blocks that notifications are sent with.
const KNOWN: [&str; 9] = [
    "slack-webhook",
    "ms-teams-webhook",
    "pager-duty-webhook",
    "mattermost-webhook",
    "discord-webhook",
    "opsgenie-webhook",
    "twilio-sms",
    "sendgrid-email",
    "custom-webhook",
];

/// Whether this server sends with blocks of a type; the error is a sentence for the user.
pub fn check(slug: &str) -> Result<(), String> {
    if KNOWN.contains(&slug) {
        return Ok(());
    }
    let known = KNOWN.join(", ");
    Err(format!("this server does not know how to send with blocks of type `{slug}`; it sends with {known}"))
}

/// The requests that a block of this type sends; the error is a sentence for the user.
pub fn letters(slug: &str, data: &Map<String, Value>, message: Message<'_>) -> Result<Vec<Letter>, String> {
    let block = Block { slug, data };
    Ok(match slug {
        "slack-webhook" => vec![Letter::json(block.text("url")?, json!({ "text": message.marked() }))],
        "ms-teams-webhook" => vec![Letter::json(block.text("url")?, teams(message))],
        "pager-duty-webhook" => vec![pager_duty(&block, message)?],
        "mattermost-webhook" => mattermost(&block, message)?,
        "discord-webhook" => vec![discord(&block, message)?],
        "opsgenie-webhook" => vec![opsgenie(&block, message)?],
        "twilio-sms" => twilio(&block, message)?,
        "sendgrid-email" => vec![sendgrid(&block, message)?],
        "custom-webhook" => vec![custom(&block, message)?],
        // One that `check` did not let through.
        other => return Err(check(other).err().unwrap_or_default()),
    })
}

struct Block<'b> {
    slug: &'b str,
    data: &'b Map<String, Value>,
}

impl Block<'_> {
    fn text(&self, field: &str) -> Result<&str, String> {
        let missing = || format!("the {} block has no `{field}`", self.slug);
        self.optional(field).ok_or_else(missing)
    }

    fn optional(&self, field: &str) -> Option<&str> {
        self.data.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn list(&self, field: &str) -> Vec<&str> {
        self.data.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn flag(&self, field: &str) -> Option<bool> {
        self.data.get(field).and_then(Value::as_bool)
    }

    fn value(&self, field: &str) -> Option<&Value> {
        self.data.get(field).filter(|value| !value.is_null())
    }

    fn pairs(&self, field: &str) -> Vec<(String, String)> {
        let map = self.data.get(field).and_then(Value::as_object);
        map.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }
}

/// An adaptive card, as Teams' workflows take it.
fn teams(message: Message<'_>) -> Value {
    let block = |text: &str, heading: bool| {
        if heading {
            json!({ "type": "TextBlock", "text": text, "weight": "bolder", "size": "large", "style": "heading", "wrap": true })
        } else {
            json!({ "type": "TextBlock", "text": text, "style": "default", "wrap": true })
        }
    };
    let mut body = Vec::new();
    if !message.subject.is_empty() {
        body.push(block(message.subject, true));
    }
    body.push(block(message.body, false));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}

fn pager_duty(block: &Block<'_>, message: Message<'_>) -> Result<Letter, String> {
    let host =
        if block.optional("region_name") == Some("eu") { "events.eu.pagerduty.com" } else { "events.pagerduty.com" };
    let severity = match block.optional("notify_type") {
        Some("failure") => "critical",
        Some("warning") => "warning",
        _ => "info",
    };
    let mut details = block.value("custom_details").cloned().unwrap_or_else(|| json!({}));
    let summary = if message.subject.is_empty() { message.body } else { message.subject };
    if !message.subject.is_empty() {
        details["Prefect Notification Body"] = message.body.into();
    }
    let mut event = json!({
        "routing_key": block.text("integration_key")?,
        "event_action": "trigger",
        "client": "Tidegate",
        "payload": {
            "summary": summary,
            "severity": severity,
            "source": block.optional("source").unwrap_or("Prefect"),
            "component": block.optional("component").unwrap_or("Notification"),
            "custom_details": details,
        },
    });
    for (field, name) in [("group", "group"), ("class_id", "class")] {
        if let Some(value) = block.value(field) {
            event["payload"][name] = value.clone();
        }
    }
    if let Some(url) = block.value("clickable_url") {
        event["client_url"] = url.clone();
    }
    Ok(Letter::json(format!("https://{host}/v2/enqueue"), event))
}

fn mattermost(block: &Block<'_>, message: Message<'_>) -> Result<Vec<Letter>, String> {
    let scheme = if block.flag("secure").unwrap_or(true) { "https" } else { "http" };
    let port = block.data.get("port").and_then(Value::as_u64).unwrap_or(8065);
    let path = block.optional("path").map(|path| path.trim_matches('/')).filter(|path| !path.is_empty());
    let path = path.map_or_else(String::new, |path| format!("/{path}"));
    let url = format!("{scheme}://{}:{port}{path}/hooks/{}", block.text("hostname")?, block.text("token")?);
    let mut body = json!({ "text": message.plain() });
    if let Some(name) = block.optional("botname") {
        body["username"] = name.into();
    }
    let channels = block.list("channels");
    if channels.is_empty() {
        return Ok(vec![Letter::json(url, body)]);
    }
    let letter = |channel: &str| {
        let mut body = body.clone();
        body["channel"] = channel.trim_start_matches('#').into();
        Letter::json(url.clone(), body)
    };
    Ok(channels.into_iter().map(letter).collect())
}

/// The most characters that Discord takes.
const DISCORD_CHARACTERS: usize = 2000;

fn discord(block: &Block<'_>, message: Message<'_>) -> Result<Letter, String> {
    let url =
        format!("https://discord.com/api/webhooks/{}/{}", block.text("webhook_id")?, block.text("webhook_token")?);
    let content: String = message.plain().chars().take(DISCORD_CHARACTERS).collect();
    let mut body = json!({ "content": content, "tts": block.flag("tts").unwrap_or(false) });
    if let Some(name) = block.optional("botname") {
        body["username"] = name.into();
    }
    if let Some(avatar) = block.optional("avatar_url").filter(|_| block.flag("avatar").unwrap_or(false)) {
        body["avatar_url"] = avatar.into();
    }
    Ok(Letter::json(url, body))
}

/// The most characters of an alert's message.
const OPSGENIE_CHARACTERS: usize = 130;

fn opsgenie(block: &Block<'_>, message: Message<'_>) -> Result<Letter, String> {
    let host = if block.optional("region_name") == Some("eu") { "api.eu.opsgenie.com" } else { "api.opsgenie.com" };
    let summary = if message.subject.is_empty() { message.body } else { message.subject };
    let summary: String = summary.chars().take(OPSGENIE_CHARACTERS).collect();
    let mut responders = Vec::new();
    for (field, kind, key) in [
        ("target_user", "user", "username"),
        ("target_team", "team", "name"),
        ("target_schedule", "schedule", "name"),
        ("target_escalation", "escalation", "name"),
    ] {
        responders.extend(block.list(field).into_iter().map(|name| json!({ "type": kind, key: name })));
    }
    let priority = block.data.get("priority").and_then(Value::as_i64).unwrap_or(3);
    let mut body = json!({
        "message": summary,
        "description": message.body,
        "responders": responders,
        "tags": block.list("tags"),
        "priority": format!("P{priority}"),
    });
    for field in ["alias", "entity", "details"] {
        if let Some(value) = block.value(field) {
            body[field] = value.clone();
        }
    }
    let key = format!("GenieKey {}", block.text("apikey")?);
    Ok(Letter::json(format!("https://{host}/v2/alerts"), body).header("authorization", key))
}

fn twilio(block: &Block<'_>, message: Message<'_>) -> Result<Vec<Letter>, String> {
    let account = block.text("account_sid")?;
    let url = format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Messages.json");
    let authorization = basic(account, block.text("auth_token")?);
    let from = block.text("from_phone_number")?;
    let letter = |to: &str| Letter {
        method: reqwest::Method::POST,
        url: url.clone(),
        headers: vec![("authorization".into(), authorization.clone())],
        body: Some(Content::Form(vec![
            ("From".into(), from.into()),
            ("To".into(), to.into()),
            ("Body".into(), message.plain()),
        ])),
    };
    Ok(block.list("to_phone_numbers").into_iter().map(letter).collect())
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

fn sendgrid(block: &Block<'_>, message: Message<'_>) -> Result<Letter, String> {
    let to: Vec<Value> = block.list("to_emails").into_iter().map(|email| json!({ "email": email })).collect();
    let subject = if message.subject.is_empty() { "Notification" } else { message.subject };
    let body = json!({
        "personalizations": [{ "to": to }],
        "from": { "email": block.text("sender_email")? },
        "subject": subject,
        "content": [{ "type": "text/plain", "value": message.body }],
    });
    let key = format!("Bearer {}", block.text("api_key")?);
    Ok(Letter::json("https://api.sendgrid.com/v3/mail/send", body).header("authorization", key))
}

/// A request that the user has written, with placeholders for the message and for secrets.
fn custom(block: &Block<'_>, message: Message<'_>) -> Result<Letter, String> {
    let mut values: Vec<(String, String)> = block.pairs("secrets");
    values.push(("subject".into(), message.subject.into()));
    values.push(("body".into(), message.body.into()));
    values.push(("name".into(), block.optional("name").unwrap_or_default().into()));
    let fill = |text: &str| filled(text, &values);
    let method = block.optional("method").unwrap_or("POST");
    let method = method.parse().map_err(|_| format!("`{method}` is no HTTP method"))?;
    let mut url =
        reqwest::Url::parse(&fill(block.text("url")?)).map_err(|error| format!("the block's URL: {error}"))?;
    for (name, value) in block.pairs("params") {
        url.query_pairs_mut().append_pair(&name, &fill(&value));
    }
    let mut headers: Vec<(String, String)> =
        block.pairs("headers").into_iter().map(|(name, value)| (name, fill(&value))).collect();
    let cookies: Vec<String> =
        block.pairs("cookies").into_iter().map(|(name, value)| format!("{name}={}", fill(&value))).collect();
    if !cookies.is_empty() {
        headers.push(("cookie".into(), cookies.join("; ")));
    }
    let body = match (block.value("json_data"), block.value("form_data")) {
        (Some(json), _) => Some(Content::Json(filled_json(json, &values))),
        (None, Some(Value::String(text))) => Some(Content::Text(fill(text))),
        (None, Some(_)) => {
            let pairs = block.pairs("form_data");
            Some(Content::Form(pairs.into_iter().map(|(name, value)| (name, fill(&value))).collect()))
        }
        (None, None) => None,
    };
    Ok(Letter { method, url: url.into(), headers, body })
}

/// Puts values where their names stand in double braces.
fn filled(text: &str, values: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let (before, after) = rest.split_at(at);
        let Some(end) = after.find("}}") else { break };
        let name = after[2..end].trim();
        out.push_str(before);
        match values.iter().find(|(known, _)| known == name) {
            Some((_, value)) => out.push_str(value),
            None => out.push_str(&after[..end + 2]),
        }
        rest = &after[end + 2..];
    }
    out.push_str(rest);
    out
}

fn filled_json(value: &Value, values: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => filled(text, values).into(),
        Value::Array(items) => items.iter().map(|item| filled_json(item, values)).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (filled(key, values), filled_json(value, values))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Content, Message, letters};

    fn data(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    const MESSAGE: Message<'static> = Message { subject: "Late", body: "It is \"late\"" };

    #[test]
    fn a_custom_webhook_is_filled_in_where_its_names_stand() {
        let block = data(json!({
            "name": "n", "url": "http://host/{{name}}?a={{ token }}", "method": "PUT", "secrets": {"token": "t&1"},
            "params": {"s": "{{subject}}"}, "json_data": {"text": "{{body}}", "{{name}}": ["{{unknown}}", 1]},
            "headers": {"x": "{{token}}"}, "cookies": {"c": "1"},
        }));
        let letter = letters("custom-webhook", &block, MESSAGE).unwrap().remove(0);
        assert_eq!(letter.method, reqwest::Method::PUT);
        assert!(letter.url.starts_with("http://host/n?a=t&1&s=Late"), "{}", letter.url);
        let Some(Content::Json(body)) = letter.body else { panic!("no JSON") };
        assert_eq!(body, json!({"text": "It is \"late\"", "n": ["{{unknown}}", 1]}));
        assert_eq!(letter.headers, [("x".into(), "t&1".into()), ("cookie".into(), "c=1".into())]);
    }

    #[test]
    fn every_channel_gets_a_message_of_its_own() {
        let block = data(json!({"hostname": "h", "token": "t", "channels": ["#a", "b"], "port": 1, "secure": false}));
        let letters = letters("mattermost-webhook", &block, MESSAGE).unwrap();
        assert_eq!(letters.len(), 2);
        assert_eq!(letters[0].url, "http://h:1/hooks/t");
        let Some(Content::Json(body)) = &letters[0].body else { panic!("no JSON") };
        assert_eq!(body["channel"], "a");
    }

    #[test]
    fn what_is_missing_is_named() {
        let why = letters("slack-webhook", &Map::new(), MESSAGE).unwrap_err();
        assert_eq!(why, "the slack-webhook block has no `url`");
        assert!(letters("secret", &Map::new(), MESSAGE).unwrap_err().contains("`secret`"));
    }
}
