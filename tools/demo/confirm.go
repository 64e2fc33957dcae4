package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"connecthub/handlers/adminapi/client"
)

// confirming does what the console does when the hub asks to sign in again: it types the password
// once more, and repeats the request.
type confirming struct{ hub *hub }

// Do sends a request, and once more after it was asked to confirm the session.
func (c confirming) Do(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusForbidden {
		return res, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	if !asksToConfirm(body) {
		return res, nil
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	confirmed, err := c.hub.api.StepUpWithResponse(req.Context(),
		client.StepUp{Password: c.hub.password})
	if err != nil {
		return nil, fmt.Errorf("cannot sign in again: %w", err)
	}
	if err := answered(confirmed.StatusCode(), http.StatusOK, confirmed.Body); err != nil {
		return nil, fmt.Errorf("cannot sign in again: %w", err)
	}
	return http.DefaultClient.Do(again)
}

func asksToConfirm(body []byte) bool {
	var p client.Problem
	return json.Unmarshal(body, &p) == nil && p.Code == "step_up_required"
}
