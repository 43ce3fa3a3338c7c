package gcs

import (
	"context"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
)

// scope is the permission that tokens have: to read, write and delete objects.
const scope = "https://www.googleapis.com/auth/devstorage.read_write"

// authorizer adds the token of the standard credentials chain to each request:
// GOOGLE_APPLICATION_CREDENTIALS (a service account's key, workload identity), gcloud's
// application-default login, the service account of this machine or pod.
type authorizer struct {
	base    *http.Transport
	timeout time.Duration // of a request for a token

	mu    sync.Mutex
	creds *auth.Credentials
}

// credentialsError is a failure to get a token. It has no Unwrap: a missing key file is no missing object.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "no Google credentials: " + e.err.Error() }

// RoundTrip implements http.RoundTripper.
func (a *authorizer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, project, err := a.token(r.Context())
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, &credentialsError{err}
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", token.Type+" "+token.Value)
	if token.Type == "" {
		r.Header.Set("Authorization", "Bearer "+token.Value)
	}
	if project != "" {
		r.Header.Set("X-Goog-User-Project", project)
	}
	return a.base.RoundTrip(r)
}

// token returns a valid token, and the project to bill if the credentials name one.
func (a *authorizer) token(ctx context.Context) (*auth.Token, string, error) {
	creds, err := a.detect()
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	token, err := creds.Token(ctx)
	if err != nil {
		return nil, "", err
	}
	project, err := creds.QuotaProjectID(ctx)
	return token, project, err
}

// detect returns the credentials. It searches again until it has found some: they may be added later.
func (a *authorizer) detect() (*auth.Credentials, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.creds != nil {
		return a.creds, nil
	}
	creds, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: []string{scope}})
	a.creds = creds
	return creds, err
}

// CloseIdleConnections closes idle connections. http.Client calls it.
func (a *authorizer) CloseIdleConnections() { a.base.CloseIdleConnections() }
