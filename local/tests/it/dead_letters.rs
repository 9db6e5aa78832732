//! Dead letters and keys by the command line: on a data folder, and through the stack that runs on it.

use std::{
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use base::clock::Clock;
use base::entropy::Entropy;
use domain::ids::EventId;
use jiff::SignedDuration;
use local::dead_letters::{DeadLetterError, DeadLetters, Origin, QUEUES, Which};
use local::{
    aws::Outcome,
    clock::TestClock,
    queue::Message,
    stack::{Keys, Plan, Stack, Storage, test_epoch},
};
use platform::SystemClock;
use serde_json::json;
use store::webhook_events::{DEAD_LETTER, WebhookEvent, WebhookEvents};

use super::kill::{Voxanne, folder};

const TICK: &str = r#"{"org_id":"0de30000-0000-4000-8000-000000000001","call_id":"call-of-nobody","due_at":"2026-01-01T00:00:00.000Z"}"#;

async fn stack(storage: Storage, clock: Arc<dyn Clock>) -> Stack {
    let plan = Plan {
        environment: "development".into(),
        storage,
        clock,
        entropy: Arc::new(Entropy::System),
        keys: Keys::known(),
        address: "127.0.0.1:0".into(),
        settings: Vec::new(),
        network: None,
        schedules: false,
        skews: vec![],
    };
    Stack::build(plan).await.unwrap()
}

async fn in_memory() -> (Stack, DeadLetters) {
    let stack = stack(Storage::Memory, Arc::new(TestClock::at(test_epoch()))).await;
    let letters = DeadLetters::new(&stack.platform, "development");
    (stack, letters)
}

async fn on_disk(data: &Path) -> Stack {
    std::fs::create_dir_all(data).unwrap();
    stack(Storage::Folder(data.to_owned()), Arc::new(SystemClock)).await
}

fn bury(stack: &Stack, body: &str) -> String {
    stack.aws.queues().send("CallMeterDeadLetters", body, SignedDuration::ZERO).unwrap()
}

fn bodies(stack: &Stack, queue: &str) -> Vec<String> {
    let is_here = |message: &Message| message.queue == queue;
    stack.aws.queues().messages().into_iter().filter(is_here).map(|message| message.body).collect()
}

fn typed(arguments: &[&str], data: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_voxanne"))
        .args(arguments)
        .arg("--data-dir")
        .arg(data)
        .current_dir(data.parent().unwrap())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn looking_leaves_every_letter_where_it_lies() {
    let (stack, letters) = in_memory().await;
    let ids: Vec<String> = (0..25).map(|i| bury(&stack, &format!(r#"{{"call_id":"c{i}"}}"#))).collect();
    for _ in 0..2 {
        let mut found: Vec<String> =
            letters.list().await.unwrap().letters.into_iter().map(|letter| letter.id).collect();
        found.sort();
        let mut expected = ids.clone();
        expected.sort();
        assert_eq!(found, expected);
    }
    let shown = letters.show(&ids[24]).await.unwrap();
    assert_eq!((shown.body.as_str(), shown.origin), (r#"{"call_id":"c24"}"#, Origin::Queue("call-meter")));
    stack.aws.queues().receive("CallMeterDeadLetters", 1);
    let listed = letters.list().await.unwrap();
    assert_eq!((listed.letters.len(), listed.notes.len()), (24, 1), "one is in another's hands: {listed:?}");
}

#[tokio::test]
async fn every_queue_of_the_template_that_has_dead_letters_can_be_redriven() {
    let (stack, letters) = in_memory().await;
    let declared: Vec<_> = stack.template.queues.iter().filter(|queue| queue.redrive.is_some()).collect();
    assert_eq!(declared.len(), QUEUES.len());
    for queue in &declared {
        let (dead_letters, _) = queue.redrive.clone().unwrap();
        stack.aws.queues().send(&dead_letters, "{}", SignedDuration::ZERO).unwrap();
        let name = queue.name.trim_start_matches("voxanne-development-").to_owned();
        assert_eq!(letters.redrive(&Which::Queue(name), |_| ()).await.unwrap(), 1, "{queue:?}");
        assert_eq!(bodies(&stack, &queue.logical_name), ["{}"]);
        assert!(bodies(&stack, &dead_letters).is_empty());
    }
}

#[tokio::test]
async fn a_letter_is_sent_before_it_is_deleted() {
    let (stack, letters) = in_memory().await;
    let id = bury(&stack, TICK);
    bury(&stack, "{}");
    let which = Which::Letter(id);
    stack
        .aws
        .set_plan(|sent| if sent.operation == "SendMessage" { Outcome::LoseRequest } else { Outcome::Pass });
    assert!(matches!(letters.redrive(&which, |_| ()).await, Err(DeadLetterError::Store(_))));
    let is_lost = bodies(&stack, "CallMeterDeadLetters").len() < 2;
    assert!(!is_lost && bodies(&stack, "CallMeterQueue").is_empty());
    stack.aws.clear_plan();
    hide_nothing(&stack);
    stack.aws.set_plan(
        |sent| if sent.operation == "DeleteMessage" { Outcome::LoseRequest } else { Outcome::Pass },
    );
    assert!(matches!(letters.redrive(&which, |_| ()).await, Err(DeadLetterError::Kept { .. })));
    assert_eq!(bodies(&stack, "CallMeterQueue"), [TICK]);
    stack.aws.clear_plan();
    hide_nothing(&stack);
    let mut far = Vec::new();
    assert_eq!(letters.redrive(&Which::All, |progress| far.push(progress.done)).await.unwrap(), 2);
    assert_eq!(far, [0, 1, 2]);
    assert_eq!(bodies(&stack, "CallMeterQueue").len(), 3, "once too often, which is harmless");
    assert!(bodies(&stack, "CallMeterDeadLetters").is_empty());
}

/// Lets half a minute pass, as far as what was in hand is concerned.
fn hide_nothing(stack: &Stack) {
    let queues = stack.aws.queues();
    for message in queues.messages() {
        queues.change_visibility(&message.id, SignedDuration::ZERO);
    }
}

#[tokio::test]
async fn letters_are_listed_shown_and_sent_back_in_a_data_folder() {
    let folder = folder("dead_letters");
    let data = folder.join("data");
    let id = {
        let stack = on_disk(&data).await;
        let event = WebhookEvent {
            event_key: EventId::parse("evt_dead").unwrap(),
            kind: "charge.refunded".into(),
            outcome: DEAD_LETTER.into(),
            reason: Some("no customer of ours".into()),
            payload: Some(r#"{"id":"evt_dead","amount":500}"#.into()),
            received_at: stack.clock.now(),
        };
        WebhookEvents::stripe(stack.db()).record(&event).await.unwrap();
        let booked = WebhookEvent {
            event_key: EventId::parse("evt_booked").unwrap(),
            outcome: "booked".into(),
            ..event
        };
        WebhookEvents::stripe(stack.db()).record(&booked).await.unwrap();
        bury(&stack, TICK)
    };
    let listed = said(&typed(&["dead-letters", "list"], &data));
    for part in ["call-meter", &id, "call_id=call-of-nobody", "stripe event", "no customer of ours"] {
        assert!(listed.contains(part), "{part} is missing: {listed}");
    }
    assert!(!listed.contains("evt_booked"), "{listed}");
    let shown = said(&typed(&["dead-letters", "show", "evt_dead"], &data));
    assert!(shown.contains("\"amount\": 500"), "{shown}");
    let event = typed(&["dead-letters", "redrive", "evt_dead"], &data);
    assert!(!event.status.success() && said(&event).contains("`reconcile` books it"), "{}", said(&event));
    let unknown = typed(&["dead-letters", "show", "none"], &data);
    assert!(
        !unknown.status.success() && said(&unknown).contains("no dead letter none"),
        "{}",
        said(&unknown)
    );
    let no_queue = typed(&["dead-letters", "redrive", "--queue", "post"], &data);
    assert!(!no_queue.status.success() && said(&no_queue).contains("call-meter, agent-sync"));
    let back = typed(&["dead-letters", "redrive", &id], &data);
    assert!(back.status.success() && said(&back).contains("1 sent back."), "{}", said(&back));
    let stack = on_disk(&data).await;
    assert_eq!(bodies(&stack, "CallMeterQueue"), [TICK]);
    assert!(bodies(&stack, "CallMeterDeadLetters").is_empty());
}

#[tokio::test]
async fn commands_go_through_the_stack_that_runs() {
    let folder = folder("through");
    let data = folder.join("data");
    let id = bury(&on_disk(&data).await, TICK);
    let running = Voxanne::start(&folder).await;
    let listed = said(&typed(&["dead-letters", "list"], &data));
    assert!(listed.contains(&id), "{listed}");
    let back = typed(&["dead-letters", "redrive", "--all"], &data);
    assert!(back.status.success() && said(&back).contains("1 sent back."), "{}", said(&back));
    let rotated = typed(&["rotate-keys"], &data);
    assert!(rotated.status.success() && said(&rotated).contains("0 sealed anew"), "{}", said(&rotated));
    let stranger =
        running.post("/_aws", &json!({"QueueName": "voxanne-development-call-meter"})).await.unwrap();
    let detail = stranger["detail"].as_str().unwrap();
    assert!(detail.contains("the data folder's key as the access key"), "{detail}");
    drop(running);
    let after = typed(&["dead-letters", "list"], &data);
    assert_eq!(said(&after), "No dead letters.\n", "the port of a process that was killed is not believed");
}
