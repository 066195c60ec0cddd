//! Errors as `application/problem+json`: one shape for all, with the request's id in it.

use axum::{
    Json,
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use quorate_control::ControlError;
use quorate_domain::{audit::Source, problem::Problem};
use serde::Serialize;

/// A problem as an answer. [`shape`] writes its body, once the request's id is known.
#[derive(Clone, Debug)]
pub struct Fault(pub Box<Problem>);

impl Fault {
    pub fn new(status: StatusCode, code: &str, title: impl Into<String>, hint: &str) -> Self {
        Self(Box::new(Problem::new(status.as_u16(), code, title, hint)))
    }

    pub fn malformed(title: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", title, hint)
    }

    pub fn not_signed_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not-signed-in",
            "Not signed in.",
            "Sign in again, or send a valid API token as `Authorization: Bearer qt_…`.",
        )
    }

    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing at this address.",
            "The REST API is described at /api/v1/openapi.json below the console's address.",
        )
    }

    pub fn not_in_this_version() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-in-this-version",
            crate::NOT_IN_THIS_VERSION,
            "A later version of Quorate will answer this.",
        )
    }

    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong in the console.",
            "Look for the request_id in the console's log.",
        )
    }
}

impl From<ControlError> for Fault {
    fn from(error: ControlError) -> Self {
        let problem = error.problem();
        if problem.status >= 500 {
            tracing::error!(code = problem.code, causes = causes(&error), "{error}");
        }
        Self(Box::new(problem))
    }
}

/// The causes of an error, outermost first, as one line of the log.
fn causes(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of every [`Fault`]; below `/api/` also of errors that came without one
/// (an unknown path, a wrong method, a body too long).
pub async fn shape(request: Request, next: Next) -> Response {
    let request_id = request
        .extensions()
        .get::<Source>()
        .and_then(|source| source.request_id.clone());
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let failed = response.status().is_client_error() || response.status().is_server_error();
    let fault = match response.extensions_mut().remove::<Fault>() {
        Some(fault) => fault,
        None if is_api && failed && !is_json(&response) => of_status(response.status()),
        None => return response,
    };
    let mut problem = fault.0;
    problem.request_id = request_id.unwrap_or_default();
    write(response, &problem)
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    problem: &'a Problem,
}

/// Keeps status and headers (`Retry-After`, `Allow`) of `response`.
fn write(response: Response, problem: &Problem) -> Response {
    let (mut parts, _) = response.into_parts();
    let document = Json(Document {
        r#type: "about:blank",
        problem,
    })
    .into_response();
    parts.headers.remove(header::CONTENT_LENGTH);
    let problem_json = HeaderValue::from_static("application/problem+json");
    parts.headers.insert(header::CONTENT_TYPE, problem_json);
    if parts.status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"quorate\"");
        parts.headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    Response::from_parts(parts, Body::new(document.into_body()))
}

fn is_json(response: &Response) -> bool {
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.contains("json"))
}

fn of_status(status: StatusCode) -> Fault {
    match status {
        StatusCode::NOT_FOUND => Fault::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => Fault::new(
            status,
            "method-not-allowed",
            "This address does not answer that method.",
            "The header `Allow` names the methods it answers.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => wrong_type("application/json"),
        status if status.is_server_error() => Fault::internal(),
        status => Fault::new(
            status,
            "malformed",
            "The request is not understood.",
            "Compare it with /api/v1/openapi.json.",
        ),
    }
}

/// The body is longer than is taken.
pub fn too_large() -> Fault {
    Fault::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "The request's body is too long.",
        "Bodies hold at most 64 KiB.",
    )
}

/// The body is of a type that is not taken here.
pub fn wrong_type(expected: &str) -> Fault {
    Fault::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        format!("The request's body must be {expected}."),
        "Set the header `Content-Type` accordingly.",
    )
}
