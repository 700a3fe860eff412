package httpapi

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/report"
)

const (
	// defaultReportDays and maxReportDays bound the days that a report covers.
	defaultReportDays = 30
	maxReportDays     = 92

	day = 24 * time.Hour
)

// reportPeriod is the period that a report covers: whole days in UTC.
type reportPeriod struct {
	begins, ends time.Time
	by           string
}

// fromReportSummaryParams returns InvalidParameter for a day that does not exist, and for a period that is empty or too
// long.
func fromReportSummaryParams(p api.GetReportSummaryParams, today time.Time) (reportPeriod, error) {
	period := reportPeriod{ends: today.UTC(), by: cmp.Or(string(p.GroupBy), string(api.GetReportSummaryParamsGroupByDay))}
	for name, text := range map[string]string{"from": p.From, "to": p.To} {
		if text == "" {
			continue
		}
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return reportPeriod{}, contract.InvalidParameter("query", name, apperr.Field{Code: apperr.InvalidFormat})
		}
		if name == "to" {
			period.ends = at
		} else {
			period.begins = at
		}
	}
	period.ends = period.ends.Add(day)
	if p.From == "" {
		period.begins = period.ends.Add(-defaultReportDays * day)
	}
	if length := period.ends.Sub(period.begins); length < day || length > maxReportDays*day {
		return reportPeriod{}, contract.InvalidParameter("query", "from", apperr.Field{Code: apperr.OutOfRange})
	}
	return period, nil
}

func toReportSummary(p reportPeriod, total report.Figures, groups []report.Figures) api.ReportSummary {
	return api.ReportSummary{
		From: p.begins.Format(time.DateOnly), To: p.ends.Add(-day).Format(time.DateOnly),
		Total: toReportFigures(total), Groups: convertAll(groups, toReportGroup(p.by)),
	}
}

func toReportGroup(by string) func(report.Figures) api.ReportGroup {
	return func(f report.Figures) api.ReportGroup {
		group := api.ReportGroup{Figures: toReportFigures(f)}
		id, err := uuid.Parse(f.Name)
		switch {
		case by == string(api.GetReportSummaryParamsGroupByDay):
			group.Day = f.Name
		case err != nil: // The row that belongs to nobody.
		case by == string(api.GetReportSummaryParamsGroupByTeam):
			group.TeamID = &id
		default:
			group.AgentID = &id
		}
		return group
	}
}

func toReportFigures(f report.Figures) api.ReportFigures {
	return api.ReportFigures{
		Created: f.Created, Resolved: f.Resolved, Unresolved: f.Unresolved,
		FirstResponse: api.ReportTimes{Count: f.Responded, P50Seconds: toSeconds(f.ResponseP50), P90Seconds: toSeconds(f.ResponseP90)},
		Resolution:    api.ReportTimes{Count: f.Resolved, P50Seconds: toSeconds(f.ResolutionP50), P90Seconds: toSeconds(f.ResolutionP90)},
		AI: api.ReportAI{
			Answered: f.Answered, Drafted: f.Drafted, PublishedUnchanged: f.PublishedUnchanged, PublishedEdited: f.PublishedEdited,
			Discarded: f.Discarded, HandedOff: f.HandedOff, RatedUp: f.RatedUp, RatedDown: f.RatedDown, Tokens: f.Tokens,
		},
	}
}

// toSeconds returns nil when there is no time to report.
func toSeconds(seconds int64) *int64 {
	if seconds < 0 {
		return nil
	}
	return &seconds
}

func toSLATargets(targets report.Targets) api.SLATargets {
	to := func(p sqlc.TicketPriority) *api.SLATarget {
		target, set := targets[p]
		if !set {
			return nil
		}
		return &api.SLATarget{FirstResponseMinutes: target.FirstResponseMinutes, ResolutionMinutes: target.ResolutionMinutes}
	}
	return api.SLATargets{
		Urgent: to(sqlc.TicketPriorityUrgent), High: to(sqlc.TicketPriorityHigh),
		Normal: to(sqlc.TicketPriorityNormal), Low: to(sqlc.TicketPriorityLow),
	}
}

func fromSLATargets(targets api.SLATargets) report.Targets {
	from := make(report.Targets)
	for priority, target := range map[sqlc.TicketPriority]*api.SLATarget{
		sqlc.TicketPriorityUrgent: targets.Urgent, sqlc.TicketPriorityHigh: targets.High,
		sqlc.TicketPriorityNormal: targets.Normal, sqlc.TicketPriorityLow: targets.Low,
	} {
		if target != nil {
			from[priority] = report.Target{
				FirstResponseMinutes: target.FirstResponseMinutes, ResolutionMinutes: target.ResolutionMinutes,
			}
		}
	}
	return from
}
