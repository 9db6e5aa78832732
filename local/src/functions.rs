//! Every function, once: how it is built, and how it is called. A function that the template names and this list does not is an
//! error when the stack is built.

use base::config::Invalid;
use http::Response;
use lambda_http::Context;
use platform::Platform;
use serde_json::Value;
use web::contract::Operation;
use web::runtime::{
    Body, LambdaEvent, LambdaRequest, Request, SqsBatchResponse, SqsEvent, answered, exchanges, service_fn,
};

use crate::template::Template;

/// The template names a function that is not in the list, or for what it is not made for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "template.yaml has {what} for {function}, and local/src/functions.rs has no such function of that kind"
)]
pub struct UnknownFunction {
    /// `a route`, `a queue`, `a schedule`.
    pub what: &'static str,
    /// The function's binary.
    pub function: String,
}

/// What an invocation ends in where a function does not answer.
pub type InvocationError = Box<dyn std::error::Error + Send + Sync>;

impl Functions {
    /// Gives an event to the function of this name as Lambda would: parsed as what the function's kind takes.
    ///
    /// # Errors
    /// When there is no such function, the event is of another kind, or a schedule's run fails.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvocationError> {
        if HTTP.contains(&function) {
            let mut exchange = exchanges(service_fn(async |request| {
                let answer = self.answer(function, request).await;
                answer.ok_or_else(|| InvocationError::from("no HTTP function has this name"))
            }));
            let payload: LambdaRequest = serde_json::from_value(event.clone())?;
            let answer = exchange(LambdaEvent::new(payload, Context::default())).await?;
            return Ok(serde_json::to_value(answer)?);
        }
        if QUEUE.contains(&function) {
            let event = serde_json::from_value(event.clone())?;
            let failed = self.consume(function, event).await.ok_or("no queue's function has this name")?;
            return Ok(serde_json::to_value(failed)?);
        }
        self.run(function, event.clone()).await.ok_or("no function has this name")?.map(|()| Value::Null)
    }
}

/// Makes the struct of all functions, and how each kind is called.
macro_rules! functions {
    (
        http { $($http:ident => $http_name:literal),+ $(,)? }
        queue { $($queue:ident => $queue_name:literal),+ $(,)? }
        schedule { $($schedule:ident => $schedule_name:literal),+ $(,)? }
    ) => {
        /// What each function is built from, once per start.
        #[derive(Debug)]
        pub(crate) struct Functions {
            $(pub(crate) $http: $http::Deps,)+
            $(pub(crate) $queue: $queue::Deps,)+
            $(pub(crate) $schedule: $schedule::Deps,)+
        }

        impl Functions {
            /// Builds them, each over a platform of its own.
            ///
            /// # Errors
            /// When a function's settings are missing or unusable.
            pub(crate) fn build(at: impl Fn(&str) -> Platform) -> Result<Self, Invalid> {
                Ok(Self {
                    $($http: $http::Deps::new(at($http_name))?,)+
                    $($queue: $queue::Deps::new(at($queue_name))?,)+
                    $($schedule: $schedule::Deps::new(at($schedule_name))?,)+
                })
            }

            /// Answers a request as the function of this name does; none when no HTTP function has it.
            pub(crate) async fn answer(&self, function: &str, request: Request) -> Option<Response<Body>> {
                match function {
                    $($http_name => {
                        let deps = &self.$http;
                        Some(answered(request, async |request| Box::pin($http::handle(deps, request)).await).await)
                    })+
                    _ => None,
                }
            }

            /// Gives messages to the function of this name; none when no queue's function has it.
            pub(crate) async fn consume(&self, function: &str, event: SqsEvent) -> Option<SqsBatchResponse> {
                match function {
                    $($queue_name => Some(Box::pin($queue::handle(&self.$queue, event)).await),)+
                    _ => None,
                }
            }

            /// Does one run of the function of this name; none when no schedule's function has it.
            pub(crate) async fn run(
                &self,
                function: &str,
                input: Value,
            ) -> Option<Result<(), Box<dyn std::error::Error + Send + Sync>>> {
                match function {
                    $($schedule_name => Some(Box::pin($schedule::handle(&self.$schedule, input)).await.map(|_| ())),)+
                    _ => None,
                }
            }
        }

        /// What each route of each function reads and answers.
        pub(crate) fn contracts() -> Vec<(&'static str, Vec<Operation>)> {
            vec![$(($http_name, $http::contract())),+]
        }

        const HTTP: &[&str] = &[$($http_name),+];
        const QUEUE: &[&str] = &[$($queue_name),+];
        const SCHEDULE: &[&str] = &[$($schedule_name),+];
    };
}

functions! {
    http {
        agents => "agents",
        calendar => "calendar",
        calls => "calls",
        appointments => "appointments",
        clinic => "clinic",
        console => "console",
        contacts => "contacts",
        notifications => "notifications",
        operations => "operations",
        provision_number => "provision-number",
        stripe_webhook => "stripe-webhook",
        twilio_webhook => "twilio-webhook",
        vapi_webhook => "vapi-webhook",
        wallet => "wallet",
    }
    queue {
        agent_sync => "agent-sync",
        auto_recharge => "auto-recharge",
        calendar_sync => "calendar-sync",
        call_meter => "call-meter",
        messenger => "messenger",
    }
    schedule {
        calendar_watch => "calendar-watch",
        reconcile => "reconcile",
        reminders => "reminders",
        stripe_endpoint => "stripe-endpoint",
    }
}

/// Whether every route, queue and schedule of the template has its function here.
///
/// # Errors
/// The first that has none.
pub(crate) fn check(template: &Template) -> Result<(), UnknownFunction> {
    let answering = template.routes.iter().map(|route| &route.function).chain(&template.default_function);
    let routes = answering.map(|function| ("a route", HTTP, function));
    let queues =
        template.queues.iter().filter_map(|queue| Some(("a queue", QUEUE, queue.consumer.as_ref()?)));
    let schedules = template.schedules.iter().map(|schedule| ("a schedule", SCHEDULE, &schedule.function));
    let unknown =
        routes.chain(queues).chain(schedules).find(|(_, known, name)| !known.contains(&name.as_str()));
    match unknown {
        None => Ok(()),
        Some((what, _, function)) => Err(UnknownFunction { what, function: function.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_only_the_template_knows_is_an_error() {
        let template = Template::read("test").unwrap();
        assert_eq!(check(&template), Ok(()));
        let mut with_route = template.clone();
        with_route.routes[0].function = "call-meter".to_owned();
        let error = UnknownFunction { what: "a route", function: "call-meter".to_owned() };
        assert_eq!(check(&with_route), Err(error));
        let mut with_queue = template.clone();
        let consumed = with_queue.queues.iter_mut().find(|queue| queue.consumer.is_some()).unwrap();
        consumed.consumer = Some("mailer".to_owned());
        assert_eq!(check(&with_queue).unwrap_err().what, "a queue");
        let mut with_schedule = template;
        with_schedule.schedules[0].function = "sweeper".to_owned();
        assert!(check(&with_schedule).unwrap_err().to_string().contains("a schedule for sweeper"));
    }
}
