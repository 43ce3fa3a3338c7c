package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/strongroom-dev/strongroom/internal/redact"
)

// hideTitle are the services that fail if a title is given.
var hideTitle = []string{"googlechat", "hangouts", "rocketchat", "signal", "wecom", "pagerduty"}

// library sends by one of shoutrrr's services.
type library struct {
	service types.Service // nil if it must log in before it sends
	login   func() (types.Service, error)
	mu      sync.Mutex // guards service if there is a login
	shown   string     // the redacted target, for errors
	titled  bool
	secrets *regexp.Regexp
	archive string
	calls   chan struct{} // holds one element for each call in progress
}

// maxCalls bounds the hanging calls to one target: some services cannot be cancelled.
const maxCalls = 4

// shoutrrr returns a function that sends by shoutrrr. The errors show nothing of the target.
func shoutrrr(raw string, u *url.URL, o Options) (func(context.Context, message) error, error) {
	name, _, _ := strings.Cut(u.Scheme, "+")
	l := &library{
		shown:   redact.Target(raw),
		titled:  !slices.Contains(hideTitle, name),
		secrets: secrets(raw, u),
		archive: o.Archive,
		calls:   make(chan struct{}, maxCalls),
	}
	if !slices.Contains(logsIn, name) {
		var err error
		l.service, err = service(name, u, l.secrets)
		return l.send, err
	}
	l.login = func() (types.Service, error) { return service(name, u, l.secrets) }
	offline := *u
	if password, ok := u.User.Password(); ok {
		offline.User = url.UserPassword("", password) // as an access token, which needs no login
	}
	_, err := service(name, &offline, l.secrets)
	return l.send, err
}

// logsIn are the services that log in at their server when they are initialized. They do it for the first message: a
// server that is down must not stop the service, and its URL is not wrong.
var logsIn = []string{"matrix"}

// service returns the service of a URL. It does the work of the library's router, which hides the reasons of
// errors.
func service(name string, u *url.URL, secrets *regexp.Regexp) (s types.Service, err error) {
	wrong := func(err error) error {
		return fmt.Errorf("the service %s rejects it: %s; see the description of its URLs at shoutrrr.nickfedor.com",
			name, scrub(err.Error(), secrets))
	}
	s, err = (&router.ServiceRouter{}).NewService(name)
	if err != nil || name == "logger" {
		return nil, errors.New("no service has this scheme; write https:// (heartbeat), webhook+https://, " +
			"or a shoutrrr URL such as slack://, telegram:// or smtp://")
	}
	if u.Scheme != name {
		custom, ok := s.(types.CustomURLService)
		if !ok {
			return nil, wrong(errors.New("its scheme allows no + and second scheme"))
		}
		if u, err = converted(custom, u); err != nil {
			return nil, wrong(err)
		}
	}
	if err := initialized(s, u); err != nil {
		return nil, wrong(err)
	}
	return s, nil
}

func converted(s types.CustomURLService, u *url.URL) (_ *url.URL, err error) {
	defer rescue(&err)
	return s.GetConfigURLFromCustom(u)
}

func initialized(s types.Service, u *url.URL) (err error) {
	defer rescue(&err)
	return s.Initialize(u, nil)
}

// send sends one message. The library takes no context: a call that outlives ctx keeps running, and its message may
// still be delivered.
func (l *library) send(ctx context.Context, m message) error {
	select {
	case l.calls <- struct{}{}:
	default:
		return fmt.Errorf("%s: %d earlier calls to it are still hanging", l.shown, maxCalls)
	}
	title, text := compose(l.archive, m)
	params := types.Params{}
	if l.titled {
		params.SetTitle(title)
	}
	result := make(chan error, 1)
	go func() {
		err := l.call(text, &params)
		<-l.calls
		result <- err
	}()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("%s: %s", l.shown, scrub(err.Error(), l.secrets))
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: it does not answer; %w", l.shown, errUncertain)
	}
}

// call turns a panic of the library into an error, so that it does not end the service.
func (l *library) call(text string, params *types.Params) (err error) {
	defer rescue(&err)
	if l.login == nil {
		return l.service.Send(text, params)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.service == nil {
		if l.service, err = l.login(); err != nil {
			l.service = nil
			return err
		}
	}
	if err = l.service.Send(text, params); err != nil {
		l.service = nil // the login may have expired
	}
	return err
}

func rescue(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the library shoutrrr failed: %v", p)
	}
}
