package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
)

const promptsPath = "/prompts"

// CreatePrompt creates a draft of a prompt.
func (s *Server) CreatePrompt(ctx context.Context, r api.CreatePromptRequestObject) (api.CreatePromptResponseObject, error) {
	p, err := s.Prompts.Create(ctx, fromPromptSettings(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.CreatePrompt201JSONResponse{
		Body:    toPrompt(p),
		Headers: api.CreatePrompt201ResponseHeaders{Location: promptsPath + "/" + p.Prompt.ID.String(), ETag: promptTag(p)},
	}, nil
}

// ListPrompts returns a page of prompts.
func (s *Server) ListPrompts(ctx context.Context, r api.ListPromptsRequestObject) (api.ListPromptsResponseObject, error) {
	actor := actorFrom(ctx)
	page, err := s.cursors.Page(actor.ID, promptsPath, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	prompts, next, err := s.Prompts.List(ctx, page)
	if err != nil {
		return nil, err
	}
	return api.ListPrompts200JSONResponse{
		Body:    convertAll(prompts, toPrompt),
		Headers: api.ListPrompts200ResponseHeaders{Link: s.cursors.Link(actor.ID, promptsPath, page, next)},
	}, nil
}

// GetPrompt returns a prompt.
func (s *Server) GetPrompt(ctx context.Context, r api.GetPromptRequestObject) (api.GetPromptResponseObject, error) {
	p, err := s.Prompts.Get(ctx, r.PromptID)
	if err != nil {
		return nil, err
	}
	return api.GetPrompt200JSONResponse{Body: toPrompt(p), Headers: api.GetPrompt200ResponseHeaders{ETag: promptTag(p)}}, nil
}

// UpdatePrompt changes a draft.
func (s *Server) UpdatePrompt(ctx context.Context, r api.UpdatePromptRequestObject) (api.UpdatePromptResponseObject, error) {
	p, err := s.Prompts.Update(ctx, r.PromptID, fromPromptSettings(*r.Body), ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return api.UpdatePrompt200JSONResponse{Body: toPrompt(p), Headers: api.UpdatePrompt200ResponseHeaders{ETag: promptTag(p)}}, nil
}

// PublishPrompt makes a prompt the live one.
func (s *Server) PublishPrompt(ctx context.Context, r api.PublishPromptRequestObject) (api.PublishPromptResponseObject, error) {
	p, err := s.Prompts.Publish(ctx, actorFrom(ctx), r.PromptID, ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return api.PublishPrompt200JSONResponse{Body: toPrompt(p), Headers: api.PublishPrompt200ResponseHeaders{ETag: promptTag(p)}}, nil
}

// WithdrawPrompt returns to the built-in prompt.
func (s *Server) WithdrawPrompt(ctx context.Context, r api.WithdrawPromptRequestObject) (api.WithdrawPromptResponseObject, error) {
	p, err := s.Prompts.Withdraw(ctx, actorFrom(ctx), r.PromptID)
	if err != nil {
		return nil, err
	}
	return api.WithdrawPrompt200JSONResponse{Body: toPrompt(p), Headers: api.WithdrawPrompt200ResponseHeaders{ETag: promptTag(p)}}, nil
}

// PreviewPrompt returns what the server would send to the AI.
func (s *Server) PreviewPrompt(ctx context.Context, r api.PreviewPromptRequestObject) (api.PreviewPromptResponseObject, error) {
	preview, err := s.Assistant.Preview(ctx, actorFrom(ctx), r.PromptID, r.Params.TicketID)
	if err != nil {
		return nil, err
	}
	return api.PreviewPrompt200JSONResponse{Body: toPromptPreview(preview)}, nil
}
