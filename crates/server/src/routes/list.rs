//! Lists: limits, pages and their errors, the same for every noun.

use tidegate_api::filters::{ListRequest, Paginated};

use crate::{App, error::ApiError};

impl App {
    /// The limit of a list: the default where none is given, refused above the maximum.
    pub fn limit(&self, given: Option<i64>) -> Result<i64, ApiError> {
        let maximum = self.settings.default_limit;
        match given {
            None => Ok(maximum),
            Some(limit) if limit > maximum => {
                Err(ApiError::unprocessable(format!("Invalid limit: must be less than or equal to {maximum}.")))
            }
            Some(limit) if limit < 0 => {
                Err(ApiError::unprocessable("Invalid limit: must be greater than or equal to 0."))
            }
            Some(limit) => Ok(limit),
        }
    }
}

/// Which rows `paginate` asks for.
pub struct PageRequest {
    pub page: i64,
    pub limit: i64,
}

impl PageRequest {
    pub fn of<F, S>(app: &App, request: &ListRequest<F, S>) -> Result<Self, ApiError> {
        Ok(Self { page: request.page.unwrap_or(1), limit: app.limit(request.limit)? })
    }

    pub fn offset(&self) -> i64 {
        (self.page - 1).saturating_mul(self.limit)
    }

    pub fn answer<T>(&self, results: Vec<T>, count: i64) -> Paginated<T> {
        let pages = if self.limit > 0 { (count + self.limit - 1) / self.limit } else { 0 };
        Paginated { results, count, limit: self.limit, pages, page: self.page }
    }
}
