//! The users of the tests. Each sends its requests through HTTP, as a client does.

use serde_json::{Value, json};

use super::{app::TestApp, socket::Subscription};

/// A valid password.
pub(crate) const PASSWORD: &str = "a loom has many heddles";

/// A user or an anonymous client.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The user's id (`usr_…`); empty for an anonymous client.
    pub(crate) id: String,
    /// The username; empty for an anonymous client.
    pub(crate) username: String,
    /// The access token, when signed in.
    pub(crate) token: Option<String>,
    /// The refresh token, when signed in.
    pub(crate) refresh_token: Option<String>,
    endpoint: String,
    client: reqwest::Client,
}

impl Person {
    pub(crate) fn anonymous(app: &TestApp) -> Self {
        Self::anonymous_at(app.url("/graphql"))
    }

    /// An anonymous client of this endpoint.
    pub(crate) fn anonymous_at(endpoint: String) -> Self {
        Self {
            id: String::new(),
            username: String::new(),
            token: None,
            refresh_token: None,
            endpoint,
            client: reqwest::Client::new(),
        }
    }

    /// Sends later requests to another endpoint.
    pub(crate) fn set_endpoint(&mut self, endpoint: String) {
        self.endpoint = endpoint;
    }

    /// The endpoint of the user's requests.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Opens a subscription.
    pub(crate) async fn subscribe(&self, query: &str, variables: Value) -> Subscription {
        let opened = Subscription::try_open(&self.endpoint, self, query, variables).await;
        opened.unwrap()
    }

    /// The user, with the same tokens, as a client of another endpoint.
    pub(crate) fn at(&self, endpoint: String) -> Self {
        Self {
            endpoint,
            ..self.clone()
        }
    }

    pub(crate) async fn register(app: &TestApp, name: &str) -> Self {
        Self::anonymous(app).sign_up(name).await
    }

    /// Signs up as a user with this name.
    pub(crate) async fn sign_up(self, name: &str) -> Self {
        let mut person = self;
        person.username = name.to_lowercase();
        let input = json!({
            "username": person.username,
            "displayName": name,
            "email": format!("{}@example.org", person.username),
            "password": PASSWORD,
        });
        let data = person
            .execute(
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

    /// Returns the whole response to an operation.
    pub(crate) async fn request(&self, query: &str, variables: Value) -> Value {
        self.try_request(query, variables).await.unwrap()
    }

    /// Returns the whole response, or the error if the server fails before it responds.
    pub(crate) async fn try_request(
        &self,
        query: &str,
        variables: Value,
    ) -> reqwest::Result<Value> {
        self.post(query, variables).await?.json().await
    }

    /// Returns the status and the body of the response, unparsed.
    pub(crate) async fn raw_response(&self, query: &str, variables: Value) -> String {
        let response = self.post(query, variables).await.unwrap();
        let status = response.status();
        format!("{status}\n{}", response.text().await.unwrap())
    }

    /// Sends an operation and returns the response of the server.
    pub(crate) async fn post(
        &self,
        query: &str,
        variables: Value,
    ) -> reqwest::Result<reqwest::Response> {
        let mut request = self
            .client
            .post(&self.endpoint)
            .json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await
    }

    /// Returns the data of an operation that must succeed.
    #[track_caller]
    pub(crate) fn execute(&self, query: &str, variables: Value) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let mut result = self.request(query, variables).await;
            assert!(result.get("errors").is_none(), "{caller}: {result:#}");
            result["data"].take()
        }
    }

    /// Returns the pages of a list, from the first to the last. `list` is the JSON pointer to the connection in the
    /// data of the query, which takes `$after`.
    pub(crate) async fn pages(&self, query: &str, variables: Value, list: &str) -> Vec<Value> {
        let (mut variables, mut pages) = (variables, vec![]);
        loop {
            let mut data = self.execute(query, variables.clone()).await;
            let page = data.pointer_mut(list).unwrap().take();
            variables["after"] = page["pageInfo"]["endCursor"].clone();
            let is_last = page["pageInfo"]["hasNextPage"] == false;
            pages.push(page);
            if is_last {
                return pages;
            }
        }
    }

    /// Returns the nodes of all pages of a list, like [`Self::pages`].
    pub(crate) async fn nodes(&self, query: &str, variables: Value, list: &str) -> Vec<Value> {
        let pages = self.pages(query, variables, list).await;
        let nodes = pages.iter().map(|page| page["nodes"].as_array().unwrap());
        nodes.flatten().cloned().collect()
    }

    /// Returns the data of an operation that must succeed, and the number of its statements, which the server reports
    /// in `Server-Timing`.
    pub(crate) async fn count_statements(&self, query: &str, variables: Value) -> (Value, u32) {
        let (mut result, count) = self.counted_request(query, variables).await;
        assert!(result.get("errors").is_none(), "{result:#}");
        (result["data"].take(), count)
    }

    /// Returns the whole response to an operation, and the number of its statements.
    pub(crate) async fn counted_request(&self, query: &str, variables: Value) -> (Value, u32) {
        let response = self.post(query, variables).await.unwrap();
        let timing = response.headers()["server-timing"]
            .to_str()
            .unwrap()
            .to_owned();
        let result = response.json().await.unwrap();
        let count = timing.split("statements;desc=").nth(1).unwrap();
        let count = count.trim_matches(|letter: char| !letter.is_ascii_digit());
        (result, count.parse().unwrap())
    }

    /// Signs in again for a new token.
    pub(crate) async fn signs_in(&mut self) {
        self.signs_in_with(PASSWORD).await;
    }

    pub(crate) async fn signs_in_with(&mut self, password: &str) {
        let sign_in =
            "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
        let input = json!({ "login": self.username, "password": password });
        self.token = None;
        let data = self.execute(sign_in, json!({ "input": input })).await;
        self.token = Some(text(&data["signIn"]["auth"]["accessToken"]));
    }

    /// Confirms their identity with the password.
    pub(crate) async fn reauthenticates(&self) {
        let confirm = "mutation($input: ReauthenticateInput!) { reauthenticate(input: $input) {
            session { id } } }";
        let input = json!({ "password": PASSWORD });
        self.execute(confirm, json!({ "input": input })).await;
    }

    /// Returns the first error of an operation that must fail with this code.
    #[track_caller]
    pub(crate) fn expect_error(
        &self,
        code: &str,
        query: &str,
        variables: Value,
    ) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let mut result = self.request(query, variables).await;
            let error = result["errors"][0].take();
            assert_eq!(
                error["extensions"]["code"], code,
                "{caller}: {error:#} {result:#}"
            );
            error
        }
    }
}

/// Returns the text of a JSON string.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
        .to_owned()
}
