//! Who is answered: only requests to this machine by its own name, from pages of the studio, by whoever has its token.
//!
//! The name keeps pages away that let their own host name point here (DNS rebinding), the origin keeps pages of
//! others from sending forms, and the token keeps other users of the machine out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::failure::StudioError;

/// The cookie that holds the token.
const COOKIE: &str = "brickwork-studio";

/// What pages may load: nothing but what the studio itself serves, and pictures inside of pages.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'self'";

/// Who may ask.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// What the studio is called by: host and port.
    pub(crate) hosts: Arc<[String]>,
    /// Whoever knows it may ask.
    pub(crate) token: Arc<str>,
}

impl Guard {
    /// Refuses whoever may not ask, and says of every answer what it may load.
    pub(crate) async fn watch(State(guard): State<Self>, request: Request, next: Next) -> Response {
        let mut response = match guard.refused(&request) {
            Some(why) => StudioError::Forbidden(why).into_response(),
            None => match guard.entering(request.uri()) {
                Some(response) => response,
                None if guard.knows(request.headers()) => next.run(request).await,
                None => StudioError::Forbidden(
                    "open the studio by the address that it printed when it started, which has its token".to_owned(),
                )
                .into_response(),
            },
        };
        secure(response.headers_mut());
        response
    }

    /// Why a request is refused, whoever asks.
    fn refused(&self, request: &Request<Body>) -> Option<String> {
        let header =
            |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let host = header(header::HOST).unwrap_or_default();
        if !self.hosts.iter().any(|own| own == host) {
            return Some(format!("the studio is not called `{host}`"));
        }
        let asks_only = matches!(*request.method(), Method::GET | Method::HEAD);
        match header(header::ORIGIN) {
            Some(origin) if origin.strip_prefix("http://") != Some(host) => {
                Some(format!("pages of `{origin}` may not use the studio"))
            }
            None if !asks_only => {
                Some("a form that says nothing of the page it is on is not accepted".to_owned())
            }
            _ => None,
        }
    }

    /// The way in: an address with the token leads to the same one without, and the token goes into a cookie.
    fn entering(&self, address: &Uri) -> Option<Response> {
        let given = address.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))?;
        if !same(given, &self.token) {
            return Some(
                StudioError::Forbidden("this is not the studio's token".to_owned()).into_response(),
            );
        }
        let cookie =
            format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000", self.token);
        let headers = [(header::LOCATION, address.path().to_owned()), (header::SET_COOKIE, cookie)];
        Some((StatusCode::SEE_OTHER, headers).into_response())
    }

    /// Whether the cookie holds the token.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(name, value)| name == COOKIE && same(value, &self.token))
    }
}

/// Whether two texts are the same, in a time that says nothing of where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
}

/// Adds what browsers must know, where the answer does not say otherwise.
fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard { hosts: ["127.0.0.1:9".to_owned()].into(), token: "secret".into() }
    }

    fn request(method: &str, headers: &[(&str, &str)]) -> Request<Body> {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).expect("these headers are well formed")
    }

    #[test]
    fn only_pages_of_the_studio_are_answered() {
        let refused =
            |method, headers: &[(&str, &str)]| guard().refused(&request(method, headers)).is_some();
        assert!(!refused("GET", &[("host", "127.0.0.1:9")]));
        assert!(refused("GET", &[]));
        assert!(refused("GET", &[("host", "evil.example:9")]));
        assert!(refused("GET", &[("host", "127.0.0.1:80")]));
        assert!(!refused("POST", &[("host", "127.0.0.1:9"), ("origin", "http://127.0.0.1:9")]));
        assert!(refused("POST", &[("host", "127.0.0.1:9"), ("origin", "http://evil.example")]));
        assert!(refused("POST", &[("host", "127.0.0.1:9"), ("origin", "null")]));
        assert!(refused("POST", &[("host", "127.0.0.1:9")]));
    }

    #[test]
    fn a_token_opens_and_a_cookie_is_remembered() {
        let enter = |address: &str| guard().entering(&address.parse().expect("an address"));
        assert!(enter("/").is_none() && enter("/?a=b").is_none());
        assert_eq!(
            enter("/?token=wrong").map(|answer| answer.status()),
            Some(StatusCode::FORBIDDEN)
        );
        assert_eq!(
            enter("/look?token=secret").map(|answer| answer.status()),
            Some(StatusCode::SEE_OTHER)
        );
        let knows = |cookie| guard().knows(request("GET", &[("cookie", cookie)]).headers());
        assert!(knows("a=b; brickwork-studio=secret"));
        assert!(
            !knows("brickwork-studio=secre")
                && !knows("brickwork-studio=secreT")
                && !knows("other=secret")
        );
    }
}
