"""For each adjoint the test of this folder whose comparison with differences fails without it. `python -m pytest -s
-p tests.adjoints.audit tests/adjoints` says which one it may be for a new adjoint; the slow test of test_named.py has
audit.py check the table."""

NAMED = {
    "test_constraint.py::test_a_round_side_within_a_margin[capsule-mesh]": "found_within_vjp ruled_vjp",
    "test_constraint.py::test_collide_and_contact[capsule-box-6-elliptic]": "param_size_vjp",
    "test_constraint.py::test_collide_and_contact[capsule-ellipsoid-3-pyramidal]": "convex_contacts_vjp features_vjp",
    "test_constraint.py::test_collide_and_contact[plane-capsule-4-elliptic]": "rolling_friction_vjp rolling_vjp",
    "test_constraint.py::test_collide_and_contact[plane-sphere-1-pyramidal]":
        "contact_leaf_vjp margin_of_vjp mix_solver_vjp",
    "test_constraint.py::test_every_feature_of_two_boxes": "edge_vjp",
    "test_constraint.py::test_every_feature_of_two_hulls[box-mesh]": "multicontact_vjp",
    "test_constraint.py::test_height_fields[hfield-box-]": "netted_vjp",
    "test_constraint.py::test_mocap_bodies[contact]": "friction_vjp",
    "test_constraint.py::test_mocap_bodies[weld]": "mocap_vjp",
    "test_constraint.py::test_parameters_of_contact[moving surface-pyramidal]": "surface_vjp",
    "test_constraint.py::test_rows_and_ball_limits[connect]": "bias_vjp meet_vjp",
    "test_constraint.py::test_rows_and_ball_limits[friction direct]": "friction_leaf_vjp",
    "test_constraint.py::test_rows_and_ball_limits[frictionloss]": "friction_row_vjp",
    "test_constraint.py::test_rows_and_ball_limits[hinge limit]": "frictionless_vjp",
    "test_constraint.py::test_rows_and_ball_limits[joint follows joint]": "equality_blocks_vjp equality_vjp follow_vjp",
    "test_constraint.py::test_tendons[tendon follows tendon]": "follow_tendon_vjp",
    "test_constraint.py::test_tendons[tendon held]": "equality_leaf_vjp",
    "test_constraint.py::test_tendons[tendon limits]": "length_vjp tendon_blocks_vjp tendon_vjp without_friction_vjp",
    "test_controller.py::test_act_controller[feedback-moving]": "linear_vjp rotation_vjp",
    "test_controller.py::test_act_controller[mlp-moving]": "mlp_vjp observation_vjp",
    "test_controller.py::test_act_controller[open loop-moving]": "act_controller_vjp add_part_vjp",
    "test_integrate.py::test_advance[ball-implicit]": "bias_slopes_vjp",
    "test_integrate.py::test_advance[ellipsoids in a fluid-implicit]": "ellipsoid_slope_vjp ellipsoid_slopes_vjp",
    "test_integrate.py::test_advance[fluid-implicit]": "fluid_slopes_vjp slope_vjp",
    "test_integrate.py::test_advance[free-implicitfast]": "lone_inertia_vjp lone_vjp",
    "test_integrate.py::test_advance[gravcomp of actuators-implicit]": "actuator_slopes_vjp",
    "test_integrate.py::test_advance[hinge-Euler]": "damping_vjp",
    "test_integrate.py::test_advance[tendon springs-implicit]": "add_slopes_vjp tendon_slopes_vjp",
    "test_integrate.py::test_integrate_pos[ball]": "integrate_pos_vjp",
    "test_residual.py::test_residuals[1.0]": "layers_vjp outputs_vjp residual_vjp residuals_vjp",
    "test_step.py::test_friction_law[moving-Euler]": "affine_vjp drive_vjp rubs_vjp",
    "test_sensors.py::test_sensors[0]": "sensors_vjp state_sensor_vjp",
    "test_sensors.py::test_sensors[10]": "orientation_sensor_vjp",
    "test_sensors.py::test_sensors[14]": "point_velocity_vjp",
    "test_sensors.py::test_sensors[20]": "subtree_sensor_vjp subtree_vjp",
    "test_sensors.py::test_sensors[28]": "point_acceleration_vjp",
    "test_sensors.py::test_sensors[42]": "frame_axis_vjp",
    "test_sensors.py::test_sensors[46]": "energies_vjp energy_sensor_vjp momentum_sensor_vjp sensed_energies_vjp",
    "test_sensors.py::test_sensors[50]": "actuator_readings_vjp actuator_sensor_vjp sensed_actuators_vjp",
    "test_sensors.py::test_sensors[56]": "ball_sensor_vjp",
    "test_sensors.py::test_sensors[61]": "potential_vjp",
    "test_sensors.py::test_sensors[6]": "frame_sensor_vjp",
    "test_sensors.py::test_sensors_of_tendons[0]": "sensed_tendons_vjp tendon_readings_vjp tendon_sensor_vjp",
    "test_sensors.py::test_sensors_of_tendons[20]": "tendon_kinetic_vjp",
    "test_smooth.py::test_actuation[activation]": "act_dot_vjp",
    "test_smooth.py::test_actuation[pid]": "pid_force_vjp pid_rates_vjp pid_vjp pids_vjp",
    "test_smooth.py::test_compensation_of_gravity[gravcomp]": "gravcomp_vjp tree_leaves_vjp",
    "test_smooth.py::test_fluid[fluid]": "box_vjp fluid_vjp",
    "test_smooth.py::test_muscles": "muscle_bias_vjp muscle_gain_vjp muscles_vjp",
    "test_smooth.py::test_rnea_and_xfrc[hinge-xfrc]": "applied_vjp",
    "test_smooth.py::test_tendons_and_arms[adhesion]":
        "adhesions_vjp approach_vjp box_contacts_vjp contact_place_vjp param_vjp",
    "test_smooth.py::test_tendons_and_arms[along sites]": "chain_vjp path_bias_vjp path_vjp unit_vjp",
    "test_smooth.py::test_tendons_and_arms[cranks]": "crank_vjp",
    "test_smooth.py::test_tendons_and_arms[inertia along sites]": "place_motion_vjp",
    "test_smooth.py::test_tendons_and_arms[limited actuators]": "sum_forces_vjp",
    "test_smooth.py::test_tendons_and_arms[parents' axes]": "parent_arm_vjp",
    "test_smooth.py::test_tendons_and_arms[round geoms]": "wrap_vjp",
    "test_smooth.py::test_tendons_and_arms[springs]": "armatures_vjp lengths_vjp pulls_vjp tendons_vjp tree_vjp",
    "test_smooth.py::test_tendons_and_arms[thrusters]": "arms_vjp site_arm_vjp",
    "test_smooth.py::test_tendons_and_arms[within geoms]": "from_within_vjp tangent_vjp",
    "test_step.py::test_arms[branches-implicitfast]": "arm_slope_vjp",
    "test_step.py::test_elevations[touching]": "prism_vjp",
    "test_step.py::test_rests_that_yield[Euler]":
        "ball_rest_vjp rest_length_vjp rests_yield_vjp spring_rest_vjp start_lengths_vjp",
    "test_step.py::test_arms[turns-implicitfast]": "anchor_vjp near_state_vjp unwound_vjp",
    "test_step.py::test_controls_of_the_past[Euler]": "act_vjp late_controls_vjp remember_vjp",
    "test_step.py::test_controls_of_the_past[RK4]": "advance_rk4_vjp enter_stage_vjp leave_stage_vjp",
    "test_step.py::test_discrete[contacts, pyramidal]":
        "collide_vjp contact_block_vjp contact_blocks_vjp contact_frame_vjp contact_vjp feature_contact_vjp "
        "friction_of_vjp geom_vjp size_vjp witness_vjp",
    "test_step.py::test_discrete[limits and friction]":
        "at_end_of_step_vjp ball_limit_blocks_vjp ball_limit_vjp limit_row_vjp row_vjp rows_vjp",
    "test_step.py::test_discrete[limits of paths]": "tendon_ratio_vjp",
    "test_step.py::test_discrete[lone free bodies]": "turned_acceleration_vjp",
    "test_step.py::test_discrete[muscles on joints]": "muscle_slopes_vjp",
    "test_step.py::test_discrete[reference sites]": "arm_metric_vjp arm_row_vjp",
    "test_step.py::test_discrete[servos and springs]":
        "acceleration_vjp actuation_vjp drive_length_vjp drive_velocity_vjp force_slopes_vjp forward_vjp "
        "joint_metric_vjp joint_vjp metric_vjp moment_vjp passive_vjp place_vjp raw_force_vjp rnea_vjp rnea_vjp_own "
        "servo_metric_vjp servos_vjp stepped_vjp",
    "test_step.py::test_discrete[stiff fingers, pyramidal]": "block_ratio_vjp contact_ratio_vjp",
    "test_step.py::test_discrete[stiff, pyramidal]": "mass_diag_vjp row_ratio_vjp",
    "test_step.py::test_discrete[tendon held]": "tendon_leaf_vjp",
    "test_step.py::test_discrete[tendon limits]": "tendon_metric_vjp",
    "test_step.py::test_motors[Euler]":
        "bristles_vjp cogging_vjp controlled_vjp electric_vjp motors_vjp next_act_vjp",
    "test_step.py::test_motors[implicit]": "micro_vjp motor_slope_vjp",
    "test_step.py::test_sensors[contacts]": "contact_sensor_vjp contact_sensors_vjp sensed_contacts_vjp",
    "test_step.py::test_sensors[distances]": "distances_vjp sensed_distances_vjp slide_vjp",
    "test_step.py::test_sensors[limits]":
        "advance_vjp ball_leaf_vjp block_limit_vjp impedance_vjp limit_leaf_vjp limit_sensor_vjp limits_vjp "
        "reference_vjp sensed_limits_vjp sensed_vjp sensed_wrenches_vjp wrenches_vjp",
    "test_step.py::test_sensors[ranges]": "ranges_vjp sensed_ranges_vjp",
    "test_step.py::test_sensors[touch]": "touch_sensor_vjp",
    "test_step.py::test_sensors_of_the_past[Euler]": "remember_sensed_vjp",
}

# What no test of this folder takes apart, and why.
ELSEWHERE = {
    "no_act_vjp": "does nothing, in the place of a user's own controller (tests/controllers/test_own.py)",
    "no_force_vjp": "does nothing, in the place of a user's own residual (tests/gradients/test_own_residual.py)",
    "on_joints_vjp": "calls adjoints that are named here, for rows of A and B: tests/diff/test_linearize.py",
}
