package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
)

const teamsPath = "/teams"

// CreateTeam creates a team.
func (s *Server) CreateTeam(ctx context.Context, r api.CreateTeamRequestObject) (api.CreateTeamResponseObject, error) {
	team, err := s.Teams.Create(ctx, actorFrom(ctx), r.Body.Name, r.Body.MemberIDs)
	if err != nil {
		return nil, err
	}
	location := teamsPath + "/" + team.Team.ID.String()
	return api.CreateTeam201JSONResponse{
		Body:    toTeam(team),
		Headers: api.CreateTeam201ResponseHeaders{Location: location, ETag: versionTag(team.Team.Version)},
	}, nil
}

// ListTeams returns a page of teams.
func (s *Server) ListTeams(ctx context.Context, r api.ListTeamsRequestObject) (api.ListTeamsResponseObject, error) {
	actor := actorFrom(ctx)
	page, err := s.cursors.Page(actor.ID, teamsPath, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	teams, next, err := s.Teams.List(ctx, page)
	if err != nil {
		return nil, err
	}
	return api.ListTeams200JSONResponse{
		Body:    convertAll(teams, toTeam),
		Headers: api.ListTeams200ResponseHeaders{Link: s.cursors.Link(actor.ID, teamsPath, page, next)},
	}, nil
}

// GetTeam returns a team.
func (s *Server) GetTeam(ctx context.Context, r api.GetTeamRequestObject) (api.GetTeamResponseObject, error) {
	team, err := s.Teams.Get(ctx, r.TeamID)
	if err != nil {
		return nil, err
	}
	return api.GetTeam200JSONResponse{Body: toTeam(team), Headers: api.GetTeam200ResponseHeaders{ETag: versionTag(team.Team.Version)}}, nil
}

// UpdateTeam changes a team.
func (s *Server) UpdateTeam(ctx context.Context, r api.UpdateTeamRequestObject) (api.UpdateTeamResponseObject, error) {
	team, err := s.Teams.Update(ctx, actorFrom(ctx), r.TeamID, fromUpdateTeamRequest(*r.Body), ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return api.UpdateTeam200JSONResponse{Body: toTeam(team), Headers: api.UpdateTeam200ResponseHeaders{ETag: versionTag(team.Team.Version)}}, nil
}

// DeleteTeam deletes a team.
func (s *Server) DeleteTeam(ctx context.Context, r api.DeleteTeamRequestObject) (api.DeleteTeamResponseObject, error) {
	if err := s.Teams.Delete(ctx, actorFrom(ctx), r.TeamID); err != nil {
		return nil, err
	}
	return api.DeleteTeam204Response{}, nil
}
