-- What a sender named is known for a week, what the platform named for good: to find the few that are over, the many that stay
-- were read each time. The index of all was for that alone.
CREATE INDEX deliveries_to_forget ON deliveries (at) WHERE scope <> 'message';
DROP INDEX deliveries_by_age;
