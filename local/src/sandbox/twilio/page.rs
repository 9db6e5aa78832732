//! Lists, page by page, as Twilio's 2010 API cuts them.

use serde_json::{Value, json};

use super::api::Params;

/// What a page holds when nothing is said, and at most.
const USUAL: usize = 50;
const MOST: usize = 1_000;

/// One page of `rows`, which is called `name`. The next page's token is the SID of this one's last row.
pub(super) fn page(path: &str, params: &Params, name: &str, rows: &[Value]) -> Value {
    let size = params.get("PageSize").and_then(|size| size.parse().ok()).unwrap_or(USUAL).clamp(1, MOST);
    let number: usize = params.get("Page").and_then(|page| page.parse().ok()).unwrap_or(0);
    let after = params.get("PageToken").and_then(|token| token.strip_prefix("PA"));
    let start = after.map_or_else(
        || number.saturating_mul(size),
        |sid| rows.iter().position(|row| row["sid"] == *sid).map_or(rows.len(), |at| at.saturating_add(1)),
    );
    let shown: Vec<&Value> = rows.iter().skip(start).take(size).collect();
    let has_more = rows.len() > start.saturating_add(size);
    let last = shown.last().and_then(|row| row["sid"].as_str()).filter(|_| has_more);
    let next = last.map(|sid| uri(path, params, size, number.saturating_add(1), Some(sid)));
    let previous = number.checked_sub(1).map(|before| uri(path, params, size, before, None));
    let first_row = number.saturating_mul(size);
    json!({
        name: shown,
        "first_page_uri": uri(path, params, size, 0, None),
        "next_page_uri": next,
        "previous_page_uri": previous,
        "page": number,
        "page_size": size,
        "start": first_row,
        "end": first_row.saturating_add(shown.len().saturating_sub(1)),
        "uri": uri(path, params, size, number, after),
    })
}

fn uri(path: &str, params: &Params, size: usize, number: usize, after: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let is_ours = |name: &str| matches!(name, "PageSize" | "Page" | "PageToken");
    for (name, value) in params.iter().filter(|(name, _)| !is_ours(name)) {
        query.append_pair(name, value);
    }
    query.append_pair("PageSize", &size.to_string()).append_pair("Page", &number.to_string());
    if let Some(sid) = after {
        query.append_pair("PageToken", &format!("PA{sid}"));
    }
    format!("{path}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_together_are_the_list() {
        let rows: Vec<Value> = (0..5).map(|n| json!({"sid": format!("PN{n}")})).collect();
        let mut params = Params::from([("PageSize".to_owned(), "2".to_owned())]);
        let mut seen = Vec::new();
        loop {
            let page = page("/list.json", &params, "rows", &rows);
            seen.extend(page["rows"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_page_uri"].as_str() else { break };
            let (_, query) = next.split_once('?').unwrap();
            params = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        }
        assert_eq!(seen, rows);
    }
}
