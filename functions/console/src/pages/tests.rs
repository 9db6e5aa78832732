use std::io::Read as _;

use super::*;

fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, Problem> {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(&request.body(Body::Empty).unwrap())
}

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[test]
fn every_address_that_a_person_looks_at_is_the_page() {
    for (path, headers) in [("/", &[][..]), ("/", &[HTML]), ("/calls/call-1", &[HTML]), ("/wallet", &[HTML])]
    {
        let page = ask("GET", path, headers).unwrap();
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers()["cache-control"], "no-cache");
        for (name, value) in GUARDS {
            assert_eq!(page.headers()[name], value);
        }
        let Body::Text(text) = page.body() else { panic!("{page:?}") };
        assert!(!text.contains(PLACEHOLDER), "{text}");
        assert!(text.contains(&format!("\"/assets/{}/app.js\"", assets::build())), "{text}");
    }
    for (path, headers) in [
        ("/wallet", &[("accept", "application/json")][..]),
        ("/wallet", &[]),
        ("/favicon.ico", &[HTML]),
        ("/index.html", &[HTML]),
    ] {
        let Err(problem) = ask("GET", path, headers) else { panic!("{path}") };
        assert_eq!(problem.answer("r").status(), 404, "{path}");
    }
    let refused = ask("POST", "/wallet", &[HTML]).unwrap_err().answer("r");
    assert_eq!(refused.status(), 405);
    assert_eq!(refused.headers()["allow"], "GET, HEAD");
}

#[test]
fn a_file_is_at_the_address_of_its_build_and_never_asked_for_twice() {
    let build = assets::build();
    let path = format!("/assets/{build}/app.js");
    let file = ask("GET", &path, &[]).unwrap();
    assert_eq!(file.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(file.headers()["cache-control"], FOR_EVER);
    assert_eq!(file.body().as_ref(), &*assets::get("app.js").unwrap().bytes);
    let tag = file.headers()["etag"].to_str().unwrap();
    for known in [tag, "*", &format!("\"other\", {tag}"), tag.trim_start_matches("W/")] {
        let again = ask("GET", &path, &[("if-none-match", known)]).unwrap();
        assert_eq!((again.status(), again.body().is_empty()), (StatusCode::NOT_MODIFIED, true), "{known}");
        assert_eq!(again.headers()["etag"], tag);
    }
    let changed = ask("GET", &path, &[("if-none-match", "W/\"0\"")]).unwrap();
    assert_eq!(changed.status(), 200);
    for other in [
        "/assets/0123456789abcdef/app.js".to_owned(),
        format!("/assets/{build}"),
        format!("/assets/{build}/"),
        format!("/assets/{build}/index.html"),
        format!("/assets/{build}/../Cargo.toml"),
        format!("/assets/{build}//app.js"),
        "/assets/app.js".to_owned(),
    ] {
        let Err(problem) = ask("GET", &other, &[HTML]) else { panic!("{other}") };
        assert_eq!(problem.answer("r").status(), 404, "{other}");
    }
}

#[test]
fn what_a_client_takes_compressed_is_the_same_when_unpacked() {
    let large = Asset { kind: "text/css; charset=utf-8", hash: "h".into(), bytes: vec![b'a'; 4_096].into() };
    let asked =
        |value: &'static str| HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
    let packed = served(&large, FOR_EVER, &asked("br, gzip;q=0.9"));
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let Body::Binary(bytes) = packed.body() else { panic!("{packed:?}") };
    assert!(bytes.len() < 200);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, &*large.bytes);
    let plain = served(&large, FOR_EVER, &asked("identity"));
    assert!(!plain.headers().contains_key("content-encoding"));
    let font = Asset { kind: "font/woff2", hash: "h".into(), bytes: vec![0xFF; 4_096].into() };
    let font = served(&font, FOR_EVER, &asked("gzip"));
    assert!(matches!(font.body(), Body::Binary(bytes) if bytes.len() == 4_096));
}
