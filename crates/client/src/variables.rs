//! Variables.

use serde_json::json;
use tidegate_api::{
    filters::VariableFilter,
    variables::{Variable, VariableCreate, VariableSort, VariableUpdate},
};

use crate::{Client, Method, Page, Result, http::segment};

impl Client {
    pub async fn create_variable(&self, variable: &VariableCreate) -> Result<Variable> {
        self.post("/variables/", variable).await
    }

    pub async fn read_variable(&self, name: &str) -> Result<Option<Variable>> {
        self.find(&format!("/variables/name/{}", segment(name))).await
    }

    pub async fn list_variables(
        &self,
        filter: Option<&VariableFilter>,
        sort: VariableSort,
        page: Page,
    ) -> Result<Vec<Variable>> {
        self.list("/variables/filter", &json!({"variables": filter}), Some(sort), page).await
    }

    pub async fn update_variable(&self, name: &str, update: &VariableUpdate) -> Result<()> {
        self.tell(Method::PATCH, &format!("/variables/name/{}", segment(name)), update).await
    }

    pub async fn delete_variable(&self, name: &str) -> Result<()> {
        self.delete(&format!("/variables/name/{}", segment(name))).await
    }
}
