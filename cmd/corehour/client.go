package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/corehour/corehour/api"
)

// client speaks to the API with one token, as any program would.
type client struct {
	base  string
	token string
	http  *http.Client
}

// maxAnswerBytes bounds what a client reads of one answer.
const maxAnswerBytes = 16 << 20

// call sends a request and decodes the answer; in and out may be nil. A problem
// becomes an error that carries its code.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // what was needed of it has been read
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		var problem api.Problem
		if err := json.Unmarshal(answer, &problem); err != nil {
			return fmt.Errorf("%s %s: %s", method, path, response.Status)
		}
		return &problemError{Problem: problem}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// problemError is a problem that the API answered with.
type problemError struct{ api.Problem }

func (e *problemError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Detail)
}
