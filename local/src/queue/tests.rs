use super::*;
use crate::clock::TestClock;

fn queues(kept_in: Option<Database>) -> (Queues, Arc<TestClock>) {
    let clock = Arc::new(TestClock::at(Timestamp::UNIX_EPOCH));
    let dead_letters = Queue {
        logical_name: "Dead".into(),
        name: "voxanne-test-dead".into(),
        visibility_secs: 30,
        redrive: None,
        consumer: None,
    };
    let work = Queue {
        logical_name: "Work".into(),
        name: "voxanne-test-work".into(),
        visibility_secs: 60,
        redrive: Some(("Dead".into(), 2)),
        consumer: Some("worker".into()),
    };
    let entropy = Arc::new(Entropy::seeded(1));
    let clock_of = Arc::<TestClock>::clone(&clock);
    (Queues::open(vec![work, dead_letters], "127.0.0.1:3000", kept_in, clock_of, entropy), clock)
}

#[test]
fn a_message_waits_hides_and_dies() {
    let (queues, clock) = queues(None);
    queues.send("Work", "one", SignedDuration::from_secs(60)).unwrap();
    assert!(queues.receive("Work", 10).is_empty(), "it is delayed");
    clock.turn_to(Timestamp::from_second(60).unwrap());
    assert_eq!(queues.receive("Work", 10).len(), 1);
    assert!(queues.receive("Work", 10).is_empty(), "it is hidden");
    clock.turn_to(Timestamp::from_second(120).unwrap());
    assert_eq!(queues.receive("Work", 10)[0].received, 2);
    clock.turn_to(Timestamp::from_second(180).unwrap());
    assert!(queues.receive("Work", 10).is_empty(), "twice was enough");
    assert_eq!(queues.receive("Dead", 10).len(), 1);
}

#[test]
fn a_queue_is_found_counted_and_read_as_sqs_documents() {
    let (queues, clock) = queues(None);
    let found = queues.answer("GetQueueUrl", &json!({"QueueName": "voxanne-test-work"})).unwrap();
    let url = found["QueueUrl"].as_str().unwrap();
    let ask = |operation: &str, more: Value| {
        let mut body = more;
        body["QueueUrl"] = json!(url);
        queues.answer(operation, &body)
    };
    let counts = || {
        let answer = ask("GetQueueAttributes", json!({"AttributeNames": ["All"]})).unwrap();
        ["", "NotVisible", "Delayed"].map(|kind| {
            answer["Attributes"][format!("ApproximateNumberOfMessages{kind}")].as_str().unwrap().to_owned()
        })
    };
    for (text, delay) in [("one", 0), ("two", 0), ("three", 60)] {
        ask("SendMessage", json!({"MessageBody": text, "DelaySeconds": delay})).unwrap();
    }
    assert_eq!(counts(), ["2", "0", "1"]);
    let received = ask("ReceiveMessage", json!({"VisibilityTimeout": 5})).unwrap();
    assert_eq!(received["Messages"].as_array().unwrap().len(), 1, "one, when nothing is said");
    assert_eq!(counts(), ["1", "1", "1"]);
    let handle = &received["Messages"][0]["ReceiptHandle"];
    let release = json!({"ReceiptHandle": handle, "VisibilityTimeout": 0});
    ask("ChangeMessageVisibility", release.clone()).unwrap();
    assert_eq!(counts(), ["2", "0", "1"]);
    let again = ask("ChangeMessageVisibility", release).unwrap_err();
    assert_eq!(again.codes().0, "MessageNotInflight");
    ask("DeleteMessage", json!({"ReceiptHandle": handle})).unwrap();
    ask("DeleteMessage", json!({"ReceiptHandle": handle})).unwrap();
    clock.turn_to(Timestamp::from_second(60).unwrap());
    assert_eq!(counts(), ["2", "0", "0"]);
    let refused = [
        ("GetQueueUrl", json!({"QueueName": "none"}), "QueueDoesNotExist"),
        ("ReceiveMessage", json!({"MaxNumberOfMessages": 11}), "InvalidParameterValueException"),
        ("SendMessage", json!({"MessageBody": ""}), "InvalidParameterValueException"),
        ("SendMessage", json!({"MessageBody": "x", "DelaySeconds": 901}), "InvalidParameterValueException"),
        ("PurgeQueue", json!({}), "UnsupportedOperation"),
    ];
    for (operation, body, shape) in refused {
        assert_eq!(ask(operation, body).unwrap_err().codes().0, shape, "{operation}");
    }
    let elsewhere = queues.send("Dead", "four", SignedDuration::ZERO).unwrap();
    let other = ask("DeleteMessage", json!({"ReceiptHandle": elsewhere})).unwrap_err();
    assert_eq!(other.codes().0, "ReceiptHandleIsInvalid");
}

#[test]
fn messages_outlive_the_process() {
    let db = Database::memory().unwrap();
    let (before, _) = queues(Some(db.clone()));
    before.send("Work", "one", SignedDuration::ZERO).unwrap();
    let gone = before.send("Work", "two", SignedDuration::ZERO).unwrap();
    before.delete(&gone);
    let (after, _) = queues(Some(db));
    assert_eq!(after.messages(), before.messages());
}

#[test]
fn clients_list_the_queues_and_compare_a_bodys_digest() {
    let (queues, _) = queues(None);
    let url = |name: &str| json!(Queues::url("127.0.0.1:3000", name));
    let all = queues.answer("ListQueues", &json!({})).unwrap();
    assert_eq!(all["QueueUrls"], json!([url("Work"), url("Dead")]));
    let some = queues.answer("ListQueues", &json!({"QueueNamePrefix": "voxanne-test-d"})).unwrap();
    assert_eq!(some["QueueUrls"], json!([url("Dead")]));
    let work = url("Work");
    let sent = queues.answer("SendMessage", &json!({"QueueUrl": work, "MessageBody": "hello"})).unwrap();
    // RFC 1321's digest of "hello", as `md5sum` prints it.
    let digest = "5d41402abc4b2a76b9719d911017c592";
    assert_eq!(sent["MD5OfMessageBody"], digest);
    let received = queues.answer("ReceiveMessage", &json!({"QueueUrl": work})).unwrap();
    assert_eq!(received["Messages"][0]["MD5OfBody"], digest);
}
