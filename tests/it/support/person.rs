//! The people of the stories: each asks through HTTP, as a client would.

use serde_json::{Value, json};

use super::{app::TestApp, socket::Subscription};

/// A password that is good enough for anybody.
pub(crate) const PASSWORD: &str = "a loom has many heddles";

/// Somebody, signed in or not.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// Their id (`usr_…`); empty for nobody.
    pub(crate) id: String,
    /// Their username; empty for nobody.
    pub(crate) username: String,
    /// Their access token, when signed in.
    pub(crate) token: Option<String>,
    /// Their refresh token, when signed in.
    pub(crate) refresh_token: Option<String>,
    endpoint: String,
    client: reqwest::Client,
}

impl Person {
    pub(crate) fn nobody(app: &TestApp) -> Self {
        Self::nobody_at(app.url("/graphql"))
    }

    /// Somebody who is not signed in, at this endpoint.
    pub(crate) fn nobody_at(endpoint: String) -> Self {
        Self {
            id: String::new(),
            username: String::new(),
            token: None,
            refresh_token: None,
            endpoint,
            client: reqwest::Client::new(),
        }
    }

    /// The same person, who asks at another address.
    pub(crate) fn moves(&mut self, endpoint: String) {
        self.endpoint = endpoint;
    }

    /// Where they ask.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Begins to listen.
    pub(crate) async fn subscribes(&self, query: &str, variables: Value) -> Subscription {
        let opened = Subscription::try_open(&self.endpoint, self, query, variables).await;
        opened.unwrap()
    }

    /// The same person, with the same tokens, at another node.
    pub(crate) fn at(&self, endpoint: String) -> Self {
        Self {
            endpoint,
            ..self.clone()
        }
    }

    pub(crate) async fn register(app: &TestApp, name: &str) -> Self {
        Self::nobody(app).registers(name).await
    }

    /// Nobody becomes somebody.
    pub(crate) async fn registers(self, name: &str) -> Self {
        let mut person = self;
        person.username = name.to_lowercase();
        let input = json!({
            "username": person.username,
            "displayName": name,
            "email": format!("{}@example.org", person.username),
            "password": PASSWORD,
        });
        let data = person
            .asks(
                "mutation($input: RegisterInput!) { register(input: $input) {
                    auth { accessToken refreshToken viewer { user { id } } } } }",
                json!({ "input": input }),
            )
            .await;
        let auth = &data["register"]["auth"];
        person.id = text(&auth["viewer"]["user"]["id"]);
        person.token = Some(text(&auth["accessToken"]));
        person.refresh_token = Some(text(&auth["refreshToken"]));
        person
    }

    /// The whole answer to an operation.
    pub(crate) async fn sends(&self, query: &str, variables: Value) -> Value {
        self.tries(query, variables).await.unwrap()
    }

    /// The same, from a server that may be gone before it has answered.
    pub(crate) async fn tries(&self, query: &str, variables: Value) -> reqwest::Result<Value> {
        self.answer(query, variables).await?.json().await
    }

    /// The answer to an operation, word for word.
    pub(crate) async fn hears(&self, query: &str, variables: Value) -> String {
        let response = self.answer(query, variables).await.unwrap();
        let status = response.status();
        format!("{status}\n{}", response.text().await.unwrap())
    }

    async fn answer(&self, query: &str, variables: Value) -> reqwest::Result<reqwest::Response> {
        let mut request = self
            .client
            .post(&self.endpoint)
            .json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await
    }

    /// The data of an operation that must succeed.
    #[track_caller]
    pub(crate) fn asks(&self, query: &str, variables: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let mut answer = self.sends(query, variables).await;
            assert!(answer.get("errors").is_none(), "{place}: {answer:#}");
            answer["data"].take()
        }
    }

    /// The data of an operation that must succeed, and how many statements it took, as the server tells
    /// in `Server-Timing`.
    pub(crate) async fn counts(&self, query: &str, variables: Value) -> (Value, u32) {
        let response = self.answer(query, variables).await.unwrap();
        let timing = response.headers()["server-timing"]
            .to_str()
            .unwrap()
            .to_owned();
        let mut answer: Value = response.json().await.unwrap();
        assert!(answer.get("errors").is_none(), "{answer:#}");
        let count = timing.split("statements;desc=").nth(1).unwrap();
        let count = count.trim_matches(|letter: char| !letter.is_ascii_digit());
        (answer["data"].take(), count.parse().unwrap())
    }

    /// Signs in anew, so that the token is a fresh one.
    pub(crate) async fn signs_in(&mut self) {
        let sign_in =
            "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
        let input = json!({ "login": self.username, "password": PASSWORD });
        self.token = None;
        let data = self.asks(sign_in, json!({ "input": input })).await;
        self.token = Some(text(&data["signIn"]["auth"]["accessToken"]));
    }

    /// The first error of an operation that must be refused, with this code.
    #[track_caller]
    pub(crate) fn is_refused(
        &self,
        code: &str,
        query: &str,
        variables: Value,
    ) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let mut answer = self.sends(query, variables).await;
            let error = answer["errors"][0].take();
            assert_eq!(
                error["extensions"]["code"], code,
                "{place}: {error:#} {answer:#}"
            );
            error
        }
    }
}

/// A JSON string's text.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
        .to_owned()
}
