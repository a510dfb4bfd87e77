//! Waiting times that spread: an exponential draw kept near its average. The randomness is an argument.

/// A wait around `average` seconds, at most `average * (1 + clamp)`; the lower bound is as likely to be reached as the upper
/// one. `random` is in [0, 1).
pub fn clamped_poisson(average: f64, clamp: f64, random: f64) -> f64 {
    if average <= 0.0 || clamp <= 0.0 {
        return 0.0;
    }
    let upper = 1.0 + clamp;
    let lower = lower_multiple(upper);
    let probability_below = |multiple: f64| 1.0 - (-multiple).exp();
    let (low, high) = (probability_below(lower), probability_below(upper));
    let drawn = low + random * (high - low);
    -(1.0 - drawn).max(1e-10).ln() * average
}

/// The lower bound, in averages, that leaves as much probability below the median as `upper` leaves above it.
fn lower_multiple(upper: f64) -> f64 {
    if upper >= 50.0 {
        return 0.0;
    }
    let power = upper.exp2();
    (power / (power - 1.0)).max(1e-10).log2().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::clamped_poisson;

    #[test]
    fn draws_stay_between_their_bounds() {
        for average in [0.1, 2.0, 10.0, 3600.0] {
            for clamp in [0.1, 0.3, 1.0, 100.0] {
                let draws: Vec<f64> = (0..100).map(|n| clamped_poisson(average, clamp, f64::from(n) / 100.0)).collect();
                assert!(draws.is_sorted(), "a larger random number waits longer");
                assert!(draws.iter().all(|draw| (0.0..=average * (1.0 + clamp) + 1e-9).contains(draw)));
            }
        }
        assert!(clamped_poisson(0.0, 0.3, 0.5).abs() < f64::EPSILON);
    }
}
