//! JSON answers. Axum has such a type; this one writes with our own writer into a
//! plain vector, which is a good deal faster for long lists.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tidegate_core::json;

use crate::error::ApiError;

/// Room that most answers fit in.
const USUAL: usize = 2048;

/// A body of JSON.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(USUAL);
        match json::write(&mut body, &self.0) {
            Ok(()) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(error) => ApiError::Internal(error.into()).into_response(),
        }
    }
}
