//! Every route, one screen per noun.

use std::collections::HashSet;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderValue, StatusCode, Uri, header},
    middleware as layers,
    response::{IntoResponse, Response},
    routing::{MethodFilter, any, on},
};
use tidegate_api::contract;
use tower::util::option_layer;
use tower_http::compression::{CompressionLayer, predicate::SizeAbove};

use crate::{App, csrf, extract::no_route, middleware, routes, web};

/// The routes so far, and which operations of the contract they serve: method and path.
pub struct Routes {
    router: Router<App>,
    served: HashSet<(String, &'static str)>,
}

impl Routes {
    fn new() -> Self {
        Self { router: Router::new(), served: HashSet::new() }
    }

    /// Serves `method path` with `handler`. The path is spelled as in the contract.
    #[must_use]
    pub fn on<H, T>(mut self, method: &str, path: &'static str, handler: H) -> Self
    where
        H: axum::handler::Handler<T, App>,
        T: 'static,
    {
        self.served.insert((method.to_owned(), path));
        self.router = self.router.route(path, on(filter(method), handler));
        self
    }

    #[must_use]
    pub fn get<H: axum::handler::Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("GET", path, handler)
    }

    #[must_use]
    pub fn post<H: axum::handler::Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("POST", path, handler)
    }

    #[must_use]
    pub fn put<H: axum::handler::Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("PUT", path, handler)
    }

    #[must_use]
    pub fn patch<H: axum::handler::Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("PATCH", path, handler)
    }

    #[must_use]
    pub fn delete<H: axum::handler::Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("DELETE", path, handler)
    }
}

fn filter(method: &str) -> MethodFilter {
    match method {
        "GET" => MethodFilter::GET,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::POST,
    }
}

/// How senders may call a webhook: whatever may carry a body.
const HOOK_METHODS: MethodFilter =
    MethodFilter::POST.or(MethodFilter::PUT).or(MethodFilter::PATCH).or(MethodFilter::DELETE);

/// Routes that are no operations of the contract: sockets, and the contract itself.
const NO_OPERATIONS: [&str; 7] = [
    "/events/in",
    "/events/out",
    "/logs/out",
    "/task_runs/subscriptions/scheduled",
    "/work_pools/{name}/workers/connect",
    "/docs",
    "/openapi.json",
];

/// The operations of the contract that no module serves, which is none.
pub fn unserved() -> Vec<String> {
    let served = all().served;
    contract::operations()
        .filter(|operation| !served.contains(&(operation.method().to_owned(), operation.path())))
        .map(|operation| format!("{} {}", operation.method(), operation.path()))
        .collect()
}

/// What is served and is no operation of the contract, which is nothing.
pub fn undescribed() -> Vec<String> {
    let is_known = |method: &str, path: &str| {
        NO_OPERATIONS.contains(&path)
            // With or without the last slash it is the same operation.
            || [path.to_owned(), format!("{path}/"), path.trim_end_matches('/').to_owned()]
                .iter()
                .any(|path| contract::operation(method, path).is_some())
    };
    let served = all().served.into_iter().filter(|(method, path)| !is_known(method, path));
    served.map(|(method, path)| format!("{method} {path}")).collect()
}

fn all() -> Routes {
    let nouns: &[fn(Routes) -> Routes] = &[
        routes::accounts::routes,
        routes::admin::routes,
        routes::artifacts::routes,
        routes::automations::routes,
        routes::block_capabilities::routes,
        routes::block_documents::routes,
        routes::block_schemas::routes,
        routes::block_types::routes,
        routes::claims::routes,
        routes::collections::routes,
        routes::concurrency_limits::routes,
        routes::csrf_token::routes,
        routes::deployments::routes,
        routes::docs::routes,
        routes::events::routes,
        routes::flow_runs::routes,
        routes::flows::routes,
        routes::histories::routes,
        routes::imports::routes,
        routes::logs::routes,
        routes::root::routes,
        routes::saved_searches::routes,
        routes::task_runs::routes,
        routes::task_workers::routes,
        routes::templates::routes,
        routes::ui::routes,
        routes::variables::routes,
        routes::webhooks::routes,
        routes::work_pools::routes,
        routes::work_queues::routes,
        crate::sockets::routes,
    ];
    nouns.iter().fold(Routes::new(), |routes, add| add(routes))
}

/// The API alone, for this server's own requests: whoever is in here need not say who it is.
pub fn inner(app: App) -> Router {
    Router::new().nest("/api", all().router).with_state(app)
}

/// The whole application, without its listener.
pub fn router(app: App) -> Router {
    let settings = app.settings.clone();
    let api = all()
        .router
        .method_not_allowed_fallback(middleware::method_not_allowed)
        .fallback(any(no_such_route))
        .layer((DefaultBodyLimit::max(settings.max_body_size), layers::from_fn(middleware::check_api_version)));
    let access = app.access.clone();
    let guard = csrf::Guard { store: app.store.clone(), trusts_bearers: access.is_some() };
    let door = access.map(|access| middleware::Door { access, has_pages: app.web.is_some() });
    let authenticate = door.map(|door| layers::from_fn_with_state(door, middleware::authenticate));
    let protect = settings.csrf_enabled.then(|| layers::from_fn_with_state(guard, csrf::protect));
    Router::new()
        .nest("/api", api)
        .route("/metrics", axum::routing::get(crate::metrics::render))
        .route("/hooks/{slug}", on(HOOK_METHODS, routes::hooks::receive))
        .fallback(web::serve)
        // The first is the outermost. One call for all: the router boxes the service once per call and request.
        .layer((
            middleware::cors(&settings),
            CompressionLayer::new().compress_when(SizeAbove::new(500)),
            layers::from_fn(middleware::observe),
            layers::from_fn(middleware::finish_body),
            option_layer(authenticate),
            option_layer(protect),
        ))
        .with_state(app)
}

/// A path that differs from a route by its last slash only is redirected, method and body kept; all else is 404.
async fn no_such_route(request: Request) -> Response {
    let path = request.uri().path();
    let toggled = match path.strip_suffix('/') {
        Some(shorter) => shorter.to_owned(),
        None => format!("{path}/"),
    };
    let known = contract::operations().any(|operation| matches(operation.path(), &toggled));
    if !known {
        return no_route().into_response();
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let root = request.extensions().get::<middleware::Root>().map_or("/api", |root| &root.0);
    let location = format!("http://{host}{root}{toggled}{query}");
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    if let Some(value) = location.parse::<Uri>().ok().and_then(|uri| HeaderValue::from_str(&uri.to_string()).ok()) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some("{id}"), Some(given)) if crate::extract::parse_path_uuid(given).is_some() => {}
            (Some(part), Some(given))
                if part == given || (part.starts_with('{') && part != "{id}" && !given.is_empty()) => {}
            _ => return false,
        }
    }
}
