-- When a slot comes back, the runs that wait for it are found by the deployments that its limit is of.
CREATE INDEX deployment_concurrency_limit ON deployment (concurrency_limit_id) WHERE concurrency_limit_id IS NOT NULL;
