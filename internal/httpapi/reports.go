package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
)

// GetReportSummary returns the desk's figures for a period.
func (s *Server) GetReportSummary(
	ctx context.Context, r api.GetReportSummaryRequestObject,
) (api.GetReportSummaryResponseObject, error) {
	today, err := s.Reports.Today(ctx)
	if err != nil {
		return nil, err
	}
	period, err := fromReportSummaryParams(r.Params, today)
	if err != nil {
		return nil, err
	}
	total, groups, err := s.Reports.Summary(ctx, period.begins, period.ends, period.by)
	if err != nil {
		return nil, err
	}
	return api.GetReportSummary200JSONResponse{Body: toReportSummary(period, total, groups)}, nil
}

// GetSLATargets returns the SLA targets of each priority.
func (s *Server) GetSLATargets(ctx context.Context, _ api.GetSLATargetsRequestObject) (api.GetSLATargetsResponseObject, error) {
	targets, version, err := s.Reports.SLA(ctx)
	if err != nil {
		return nil, err
	}
	return api.GetSLATargets200JSONResponse{
		Body: toSLATargets(targets), Headers: api.GetSLATargets200ResponseHeaders{ETag: versionTag(version)},
	}, nil
}

// PutSLATargets replaces the SLA targets of each priority.
func (s *Server) PutSLATargets(ctx context.Context, r api.PutSLATargetsRequestObject) (api.PutSLATargetsResponseObject, error) {
	targets, version, err := s.Reports.PutSLA(ctx, fromSLATargets(*r.Body), ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return api.PutSLATargets200JSONResponse{
		Body: toSLATargets(targets), Headers: api.PutSLATargets200ResponseHeaders{ETag: versionTag(version)},
	}, nil
}
