//! Services.

use serde_json::json;
use sfha_proto::SCHEMA;
use sfha_proto::message::{NameParams, method};

use super::{ask, order, show, status};
use crate::cli::{Global, ServiceTask};
use crate::problem::Problem;
use crate::t;

/// Does one of them.
pub async fn run(global: &Global, task: ServiceTask) -> Result<(), Problem> {
    match task {
        ServiceTask::List => {
            let status = status(global).await?;
            show(global, &json!({"schema": SCHEMA, "services": status.services}), |_, paint| {
                show::services(&status, paint)
            })
        }
        ServiceTask::Add(params) => {
            let done = t!("done-service-added", name = params.name.as_str(), unit = params.unit.as_str());
            order(global, method::SERVICE_ADD, &params, done).await
        }
        ServiceTask::Remove(name) => {
            ask::confirm(global, &t!("ask-service-remove", name = name.as_str()))?;
            let done = t!("done-service-removed", name = name.as_str());
            order(global, method::SERVICE_REMOVE, &NameParams { name }, done).await
        }
    }
}
