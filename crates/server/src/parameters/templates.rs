//! Templates that users put into parameters. They see no context, run on a bounded amount of work, and fail with the
//! reference's words where those are known.

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::humanize;

/// Steps that a template may take; far more than any sensible one needs.
const FUEL: u64 = 50_000;

/// Renders a template; the error is a sentence for the user.
pub(super) fn render(template: &str) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    humanize::add_to(&mut environment);
    let compiled = environment.template_from_str(template).map_err(|error| syntax(&error, template))?;
    compiled.render(()).map_err(|error| format!("Failed to render template due to the following error: {error}"))
}

fn syntax(error: &Error, template: &str) -> String {
    let detail = error.detail().unwrap_or_default();
    if error.kind() == ErrorKind::SyntaxError && detail.starts_with("unexpected end of input") {
        let open = if template.rfind("{%") > template.rfind("{{") { "statement block" } else { "print statement" };
        return format!("unexpected end of template, expected 'end of {open}'.");
    }
    error.to_string()
}
